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

/// Weights of one row, whose first `keys` scores are seen, and their sum. `scores` gives n of them
/// from j on, scaled and masked, as a vector whose other lanes are ignored.
template <class Isa, class Scores>
inline float weigh_row(float* row, int64_t keys, const Scores& scores) {
  using V = typename Isa::V;
  constexpr int64_t kLanes = Isa::kLanes;
  const int64_t whole = keys / kLanes * kLanes;
  const int left = static_cast<int>(keys - whole);
  const V none = Isa::all(kMinusInfinity);
  // NaN is left out here; it makes NaN of the sum.
  V most = none;
  for (int64_t j = 0; j < whole; j += kLanes)
    most = Isa::max(scores(j, static_cast<int>(kLanes)), most);
  if (left > 0) most = Isa::max(Isa::first_or(scores(whole, left), left, none), most);
  const float top = Isa::largest(most);
  if (top == kMinusInfinity) {
    bool is_nan = false;
    for (int64_t j = 0; j < keys; j += kLanes) {
      const int n = keys - j < kLanes ? static_cast<int>(keys - j) : static_cast<int>(kLanes);
      is_nan |= Isa::has_nan(Isa::first_or(scores(j, n), n, Isa::zero()));
    }
    for (int64_t j = 0; j < keys; ++j) row[j] = 0;
    return is_nan ? __builtin_nanf("") : 0;
  }
  const V minus_top = Isa::all(-top);
  V sum = Isa::zero();
  for (int64_t j = 0; j < whole; j += kLanes) {
    V e = Isa::add(scores(j, static_cast<int>(kLanes)), minus_top);
    exp_of_negative<Isa>(&e);
    Isa::store(row + j, e);
    sum = Isa::add(sum, e);
  }
  if (left > 0) {
    V e = Isa::add(Isa::first_or(scores(whole, left), left, none), minus_top);
    exp_of_negative<Isa>(&e);
    Isa::store_first(row + whole, e, left);
    sum = Isa::add(sum, Isa::first_or(e, left, Isa::zero()));
  }
  return Isa::sum(sum);
}

/// A mask whose columns are not side by side is applied first.
inline void scale_and_mask(const AttentionShape& s, float* row, int64_t keys, const void* mask,
                           int64_t at) {
  const int64_t stride = s.mask_strides[3];
  const auto* chosen = static_cast<const uint8_t*>(mask) + at;
  const auto* added = static_cast<const float*>(mask) + at;
  for (int64_t j = 0; j < keys; ++j) {
    const float score = row[j] * s.scale;
    if (s.mask == DType::kBool) {
      row[j] = (chosen[j * stride] != 0) == s.mask_keeps ? score : s.masked_score;
    } else {
      row[j] = score + added[j * stride];
    }
  }
}

template <class Isa>
inline float weigh_masked_row(const AttentionShape& s, float* row, int64_t keys, const void* mask,
                              int64_t at) {
  using V = typename Isa::V;
  const V by = Isa::all(s.scale);
  const auto scaled = [&](int64_t j, int n) {
    return Isa::mul(n == Isa::kLanes ? Isa::load(row + j) : Isa::load_first(row + j, n), by);
  };
  if (s.mask == DType::kOther) return weigh_row<Isa>(row, keys, scaled);
  if (s.mask_strides[3] != 1) {
    scale_and_mask(s, row, keys, mask, at);
    return weigh_row<Isa>(row, keys, [&](int64_t j, int n) { return Isa::load_first(row + j, n); });
  }
  if (s.mask == DType::kBool) {
    const auto* chosen = static_cast<const uint8_t*>(mask) + at;
    const V masked = Isa::all(s.masked_score);
    return weigh_row<Isa>(row, keys, [&](int64_t j, int n) {
      return s.mask_keeps ? Isa::where(chosen + j, n, scaled(j, n), masked)
                          : Isa::where(chosen + j, n, masked, scaled(j, n));
    });
  }
  const auto* added = static_cast<const float*>(mask) + at;
  return weigh_row<Isa>(row, keys, [&](int64_t j, int n) {
    return Isa::fma(Isa::load_first(row + j, n), by, Isa::load_first(added + j, n));
  });
}

template <class Isa>
void weigh(const WeightRows& w) {
  const AttentionShape& s = *w.shape;
  for (int64_t r = 0; r < w.rows; ++r) {
    float* row = w.scores + r * w.stride;
    const int64_t seen = w.query + r + 1;
    const int64_t keys = s.causal && seen < w.keys ? seen : w.keys;
    w.sums[r] = weigh_masked_row<Isa>(s, row, keys, w.mask, r * s.mask_strides[2]);
    for (int64_t j = keys; j < w.keys; ++j) row[j] = 0;
  }
}

/// Each row by its sum.
template <class Isa>
void divide(const WeightRows& w, float* out, int64_t out_stride) {
  const int64_t columns = w.shape->value_columns();
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
