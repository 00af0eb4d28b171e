// Softmax of rows of scores, written once for both vector widths. Included by the two files that
// are compiled for one instruction set each; see matmul_isa.h.
#pragma once

#include <cstdint>

#include "kernels/x86/attention_isa.h"

namespace torchweld::x86 {
namespace {

constexpr float kMinusInfinity = -__builtin_inff();

/// e^*e of *e <= 0, which is 0 below what f32 has without denormals; NaN stays.
template <class Isa>
[[gnu::always_inline]] inline void exp_of_negative(typename Isa::V* e) {
  using V = typename Isa::V;
  const V x = Isa::max(Isa::all(Isa::kLeastExp), *e);
  const V n = Isa::round(Isa::mul(x, Isa::all(1.44269504f)));
  V r = Isa::fma(n, Isa::all(-0x1.62e400p-1f), x);
  r = Isa::fma(n, Isa::all(-0x1.7f7d1cp-20f), r);
  constexpr float kPoly[] = {1.39304355252534151e-3f, 8.33336077630519867e-3f,
                             4.16664853692054749e-2f, 1.66666671633720398e-1f, 0.5f};
  V p = Isa::all(1.98527617612853646e-4f);
  for (const float c : kPoly) p = Isa::fma(p, r, Isa::all(c));
  p = Isa::add(Isa::fma(p, Isa::mul(r, r), r), Isa::all(1));
  *e = Isa::scale(p, n);
}

/// Scores of one row, scaled and masked. The mask's columns are `stride` apart; where that is 1 the
/// compiler has to see it.
inline void choose(const AttentionShape& s, float* row, int64_t keys, const uint8_t* mask,
                   int64_t stride) {
  const auto chosen = [&](uint8_t m, float score) {
    return (m != 0) == s.mask_keeps ? score * s.scale : s.masked_score;
  };
  if (stride == 1) {
    for (int64_t j = 0; j < keys; ++j) row[j] = chosen(mask[j], row[j]);
  } else {
    for (int64_t j = 0; j < keys; ++j) row[j] = chosen(mask[j * stride], row[j]);
  }
}
inline void add_mask(const AttentionShape& s, float* row, int64_t keys, const float* mask,
                     int64_t stride) {
  if (stride == 1) {
    for (int64_t j = 0; j < keys; ++j) row[j] = row[j] * s.scale + mask[j];
  } else {
    for (int64_t j = 0; j < keys; ++j) row[j] = row[j] * s.scale + mask[j * stride];
  }
}

inline bool has_nan(const float* row, int64_t keys) {
  for (int64_t j = 0; j < keys; ++j) {
    if (row[j] != row[j]) return true;
  }
  return false;
}

/// Weights of one row, whose first `keys` scores are seen, and their sum.
template <class Isa>
inline float weigh_row(float* row, int64_t keys, float scale) {
  using V = typename Isa::V;
  constexpr int64_t kLanes = Isa::kLanes;
  const int64_t whole = keys / kLanes * kLanes;
  const int left = static_cast<int>(keys - whole);
  const V by = Isa::all(scale);
  // NaN is left out here; it makes NaN of the sum.
  V most = Isa::all(kMinusInfinity);
  for (int64_t j = 0; j < whole; j += kLanes)
    most = Isa::max(Isa::mul(Isa::load(row + j), by), most);
  float top = Isa::largest(most);
  for (int64_t j = whole; j < keys; ++j) top = row[j] * scale > top ? row[j] * scale : top;
  if (top == kMinusInfinity) {
    const bool is_nan = has_nan(row, keys);
    for (int64_t j = 0; j < keys; ++j) row[j] = 0;
    return is_nan ? __builtin_nanf("") : 0;
  }
  const V minus_top = Isa::all(-top);
  V sum = Isa::zero();
  for (int64_t j = 0; j < whole; j += kLanes) {
    V e = Isa::add(Isa::mul(Isa::load(row + j), by), minus_top);
    exp_of_negative<Isa>(&e);
    Isa::store(row + j, e);
    sum = Isa::add(sum, e);
  }
  float total = Isa::sum(sum);
  if (left > 0) {
    alignas(64) float last[kLanes] = {};
    for (int i = 0; i < left; ++i) last[i] = row[whole + i];
    V e = Isa::add(Isa::mul(Isa::load(last), by), minus_top);
    exp_of_negative<Isa>(&e);
    Isa::store(last, e);
    for (int i = 0; i < left; ++i) {
      row[whole + i] = last[i];
      total += last[i];
    }
  }
  return total;
}

template <class Isa>
void weigh(const WeightRows& w) {
  const AttentionShape& s = *w.shape;
  for (int64_t r = 0; r < w.rows; ++r) {
    float* row = w.scores + r * w.stride;
    const int64_t seen = w.query + r + 1;
    const int64_t keys = s.causal && seen < w.keys ? seen : w.keys;
    const int64_t at = r * s.mask_strides[2];
    if (s.mask == DType::kBool)
      choose(s, row, keys, static_cast<const uint8_t*>(w.mask) + at, s.mask_strides[3]);
    if (s.mask == DType::kF32)
      add_mask(s, row, keys, static_cast<const float*>(w.mask) + at, s.mask_strides[3]);
    w.sums[r] = weigh_row<Isa>(row, keys, s.mask == DType::kOther ? s.scale : 1);
    for (int64_t j = keys; j < w.keys; ++j) row[j] = 0;
  }
}

/// Each row by its sum.
template <class Isa>
void divide(const WeightRows& w, float* out, int64_t out_stride) {
  const int64_t columns = w.shape->head_size;
  for (int64_t r = 0; r < w.rows; ++r, out += out_stride) {
    const bool empty = w.sums[r] == 0;
    const typename Isa::V by = Isa::all(w.sums[r]), none = Isa::all(w.shape->empty_row);
    for (int64_t c = 0; c < columns; c += Isa::kLanes) {
      const int left = static_cast<int>(columns - c);
      if (left >= Isa::kLanes) {
        Isa::store(out + c, empty ? none : Isa::div(Isa::load(out + c), by));
      } else {
        Isa::store_first(out + c, empty ? none : Isa::div(Isa::load_first(out + c, left), by),
                         left);
      }
    }
  }
}

}  // namespace
}  // namespace torchweld::x86
