// One call of attention with its operands, and what float64 makes of it: the kernels of both
// devices are tested with these.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/attention.h"
#include "kernels/scalar.h"
#include "tests/kernels/cuda/case.h"

namespace torchweld {

inline double read(DType dtype, const std::vector<uint8_t>& bytes, int64_t at) {
  const Scalar s = load_scalar(dtype, bytes.data() + at * size_of(dtype));
  return dtype == DType::kBool ? s.b : s.f32;
}

/// The operands of one call, dense: [batch, heads, rows, head_size].
struct AttentionCase {
  AttentionShape shape;
  std::vector<uint8_t> q, k, v, mask, out;
};

inline AttentionCase make_call(DType dtype, int64_t head_size, int64_t queries, int64_t keys,
                               DType mask, bool causal, int64_t heads = 2, int64_t kv_heads = 2) {
  AttentionCase c;
  AttentionShape& s = c.shape;
  s = {dtype, 2,         heads,  kv_heads, queries,
       keys,  head_size, causal, mask,     1 / std::sqrt(static_cast<float>(head_size))};
  s.q_strides = s.out_strides = {heads * queries * head_size, queries * head_size, head_size};
  s.k_strides = s.v_strides = {kv_heads * keys * head_size, keys * head_size, head_size};
  const auto values = [&](int64_t rows, int seed) {
    return case_values(dtype, rows * head_size, seed, false);
  };
  c.q = values(2 * heads * queries, 2);
  c.k = values(2 * kv_heads * keys, 4);
  c.v = values(2 * kv_heads * keys, 6);
  c.out.resize(c.q.size());
  // One mask for all heads of a batch.
  s.mask_strides = {queries * keys, 0, keys, 1};
  if (mask != DType::kOther) c.mask = case_values(mask, 2 * queries * keys, 8, false);
  return c;
}

inline std::vector<double> scores_of(const AttentionCase& c, int64_t b, int64_t h, int64_t query) {
  const AttentionShape& s = c.shape;
  const int64_t kv_head = h / (s.heads / s.kv_heads);
  std::vector<double> scores(static_cast<size_t>(s.keys), -INFINITY);
  for (int64_t key = 0; key < s.keys; ++key) {
    if (s.causal && key > query) continue;
    double dot = 0;
    for (int64_t d = 0; d < s.head_size; ++d)
      dot += read(s.dtype, c.q, ((b * s.heads + h) * s.queries + query) * s.head_size + d) *
             read(s.dtype, c.k, ((b * s.kv_heads + kv_head) * s.keys + key) * s.head_size + d);
    double score = dot * s.scale;
    const int64_t at = (b * s.queries + query) * s.keys + key;
    if (s.mask == DType::kBool && (read(s.mask, c.mask, at) != 0) != s.mask_keeps)
      score = s.masked_score;
    if (is_floating(s.mask)) score += read(s.mask, c.mask, at);
    scores[static_cast<size_t>(key)] = score;
  }
  return scores;
}

/// The largest error of the result, in units of 1 + |result|.
inline double error_of(const AttentionCase& c) {
  const AttentionShape& s = c.shape;
  double worst = 0;
  for (int64_t row = 0; row < s.batch * s.heads * s.queries; ++row) {
    const int64_t query = row % s.queries, h = row / s.queries % s.heads;
    const int64_t b = row / s.queries / s.heads, kv_head = h / (s.heads / s.kv_heads);
    std::vector<double> weights = scores_of(c, b, h, query);
    double top = -INFINITY, sum = 0;
    for (const double score : weights) top = std::max(top, score);
    for (double& w : weights) sum += w = top == -INFINITY ? 0 : std::exp(w - top);
    for (int64_t d = 0; d < s.head_size; ++d) {
      double want = 0;
      for (int64_t key = 0; key < s.keys; ++key)
        want += weights[static_cast<size_t>(key)] *
                read(s.dtype, c.v, ((b * s.kv_heads + kv_head) * s.keys + key) * s.head_size + d);
      if (sum > 0) want /= sum;
      const double got = read(s.dtype, c.out, row * s.head_size + d);
      if (!(std::abs(got - want) <= 1e9)) return 1e9;
      worst = std::max(worst, std::abs(got - want) / (1 + std::abs(want)));
    }
  }
  return worst;
}

}  // namespace torchweld
