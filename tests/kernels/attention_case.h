// One call of attention with its operands, and what float64 makes of it: the kernels of both
// devices are tested with these.
#pragma once

#include <array>
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

/// The operands of one call, dense: [batch, heads, rows, columns].
struct AttentionCase {
  AttentionShape shape;
  std::vector<uint8_t> q, k, v, mask, out;
};

inline AttentionCase make_call(DType dtype, int64_t head_size, int64_t queries, int64_t keys,
                               DType mask, bool causal, int64_t heads = 2, int64_t kv_heads = 2,
                               int64_t value_size = 0) {
  AttentionCase c;
  AttentionShape& s = c.shape;
  s = {dtype, 2,         heads,  kv_heads, queries,
       keys,  head_size, causal, mask,     1 / std::sqrt(static_cast<float>(head_size))};
  s.value_size = value_size;
  const auto dense = [](int64_t of_heads, int64_t rows, int64_t columns) {
    return std::array<int64_t, 3>{of_heads * rows * columns, rows * columns, columns};
  };
  s.q_strides = dense(heads, queries, head_size);
  s.k_strides = dense(kv_heads, keys, head_size);
  s.v_strides = dense(kv_heads, keys, s.value_columns());
  s.out_strides = dense(heads, queries, s.value_columns());
  c.q = case_values(dtype, 2 * heads * queries * head_size, 2, false);
  c.k = case_values(dtype, 2 * kv_heads * keys * head_size, 4, false);
  c.v = case_values(dtype, 2 * kv_heads * keys * s.value_columns(), 6, false);
  c.out.resize(static_cast<size_t>(2 * heads * queries * s.value_columns() * size_of(dtype)));
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
    const int64_t columns = s.value_columns();
    for (int64_t d = 0; d < columns; ++d) {
      double want = 0;
      for (int64_t key = 0; key < s.keys; ++key)
        want += weights[static_cast<size_t>(key)] *
                read(s.dtype, c.v, ((b * s.kv_heads + kv_head) * s.keys + key) * columns + d);
      if (sum > 0) want /= sum;
      const double got = read(s.dtype, c.out, row * columns + d);
      if (!(std::abs(got - want) <= 1e9)) return 1e9;
      worst = std::max(worst, std::abs(got - want) / (1 + std::abs(want)));
    }
  }
  return worst;
}

}  // namespace torchweld
