// Products of few columns: sums along a row of x in the lanes of a vector, added up at the end.
// Included by matmul_avx2.cpp and matmul_avx512.cpp; see matmul_isa.h.
#pragma once

#include <cstdint>

#include "kernels/x86/matmul_isa.h"

namespace torchweld::x86 {
namespace {

/// A vector of kRows rows, or its first `left` elements, by that of all columns.
template <class Isa, int kColumns, int kRows, bool kWhole>
[[gnu::always_inline]] inline void add_columns(const float* x, int64_t x_stride, const float* w,
                                               int64_t w_stride, int left, typename Isa::V* sum) {
  using V = typename Isa::V;
  V values[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r)
    values[r] = kWhole ? Isa::load(x + r * x_stride) : Isa::load_first(x + r * x_stride, left);
#pragma GCC unroll 4
  for (int j = 0; j < kColumns; ++j) {
    const float* from = w + j * w_stride;
    const V weight = kWhole ? Isa::load(from) : Isa::load_first(from, left);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r)
      sum[r * kColumns + j] = Isa::add_product(sum[r * kColumns + j], values[r], weight);
  }
}

/// What the columns see of each row: a grid of stretches, equally long.
struct Stretches {
  explicit Stretches(const MatmulCall& c) {
    const MatmulCall::Seen outer = c.sees_all ? MatmulCall::Seen{0, c.outer} : c.seen_outer,
                           inner = c.sees_all ? MatmulCall::Seen{0, c.inner} : c.seen_inner;
    length = c.k / (c.outer * c.inner);
    x = c.x + outer.begin * c.outer_stride + inner.begin * c.inner_stride;
    w = c.w + (outer.begin * c.inner + inner.begin) * length;
    w_row = c.inner * length;
    w_tap = length;
    rows = outer.end - outer.begin;
    taps = inner.end - inner.begin;
    if (c.inner_stride == length || taps == 1) {  // side by side
      length *= taps;
      taps = 1;
    }
  }
  const float *x, *w;
  int64_t rows, taps, length, w_row, w_tap;
};

/// Rows from `row` on, all columns. `bias` and `scale` are those of kRows rows, one after another.
template <class Isa, int kColumns, int kRows>
[[gnu::always_inline]] inline void few_columns_tile(const MatmulCall& c, const Stretches& s,
                                                    const float* bias, const float* scale,
                                                    int64_t row) {
  constexpr int kSums = kRows * kColumns;
  const int64_t x_stride = c.x_row_stride, w_stride = c.w_row_stride;
  typename Isa::V sum[kSums + 3];  // added up by fours
#pragma GCC unroll 20
  for (int i = 0; i < kSums + 3; ++i) sum[i] = Isa::zero();
  const float* x_row = s.x + row * c.x_row_stride;
  const float* w_row = s.w;
  for (int64_t o = s.rows; o > 0; --o, x_row += c.outer_stride, w_row += s.w_row) {
    const float *x = x_row, *w = w_row;
    for (int64_t i = s.taps; i > 0; --i, x += c.inner_stride, w += s.w_tap) {
      int64_t k = 0;
      for (; k + Isa::kLanes <= s.length; k += Isa::kLanes)
        add_columns<Isa, kColumns, kRows, true>(x + k, x_stride, w + k, w_stride, Isa::kLanes, sum);
      if (k < s.length)
        add_columns<Isa, kColumns, kRows, false>(x + k, x_stride, w + k, w_stride,
                                                 static_cast<int>(s.length - k), sum);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < kSums; i += 4) {
    const int count = kSums - i < 4 ? kSums - i : 4;
    float* const out = c.out + row * c.out_row_stride;
    __m128 total = Isa::sums_of(sum[i], sum[i + 1], sum[i + 2], sum[i + 3]);
    if (c.scale != nullptr) total = _mm_mul_ps(total, _mm_loadu_ps(scale + i));
    if (c.bias != nullptr) total = _mm_add_ps(total, _mm_loadu_ps(bias + i));
    if (c.summand != nullptr) {
      alignas(16) float four[4] = {};
      for (int q = 0; q < count; ++q)
        four[q] = c.summand[(row + (i + q) / kColumns) * c.summand_row_stride + (i + q) % kColumns];
      total = _mm_add_ps(total, _mm_load_ps(four));
    }
    if (c.clamps)  // the second operand where one of them is NaN
      total = _mm_min_ps(_mm_set1_ps(c.clamp.high), _mm_max_ps(_mm_set1_ps(c.clamp.low), total));
    if (kColumns == 4) {
      _mm_storeu_ps(out + i / 4 * c.out_row_stride, total);
    } else if (count == 4 && c.out_row_stride == kColumns) {
      _mm_storeu_ps(out + i, total);
    } else {
      alignas(16) float four[4];
      _mm_store_ps(four, total);
      for (int q = 0; q < count; ++q)
        out[(i + q) / kColumns * c.out_row_stride + (i + q) % kColumns] = four[q];
    }
  }
}

template <class Isa, int kColumns>
void few_columns_rows(const MatmulCall& c) {
  // Beside the sums, registers for as many elements and a weight.
  constexpr int kRows = Isa::kLanes == 16 || kColumns <= 2 ? 4 : 2, kSums = kRows * kColumns;
  float bias[kSums + 3] = {}, scale[kSums + 3] = {};  // read by fours
  for (int i = 0; i < kSums && c.bias != nullptr; ++i) bias[i] = c.bias[i % kColumns];
  for (int i = 0; i < kSums && c.scale != nullptr; ++i) scale[i] = c.scale[i % kColumns];
  const Stretches s(c);
  int64_t row = 0;
  for (; row + kRows <= c.m; row += kRows)
    few_columns_tile<Isa, kColumns, kRows>(c, s, bias, scale, row);
  for (; row < c.m; ++row) few_columns_tile<Isa, kColumns, 1>(c, s, bias, scale, row);
}

/// Columns [begin, begin + kColumns).
template <class Isa, int kColumns>
void few_columns_from(MatmulCall c, int64_t begin) {
  c.w += begin * c.w_row_stride;
  c.out += begin;
  if (c.bias != nullptr) c.bias += begin;
  if (c.scale != nullptr) c.scale += begin;
  if (c.summand != nullptr) c.summand += begin;
  few_columns_rows<Isa, kColumns>(c);
}

/// In as few groups of columns as there can be, as even as they can be.
template <class Isa>
void few_columns(const MatmulCall& c) {
  static_assert(kMostFewColumns == 4);
  for (int64_t begin = 0; begin < c.n;) {
    const int64_t left = c.n - begin, groups = (left + kMostFewColumns - 1) / kMostFewColumns;
    const int64_t count = (left + groups - 1) / groups;
    if (count == 1) {
      few_columns_from<Isa, 1>(c, begin);
    } else if (count == 2) {
      few_columns_from<Isa, 2>(c, begin);
    } else if (count == 3) {
      few_columns_from<Isa, 3>(c, begin);
    } else {
      few_columns_from<Isa, 4>(c, begin);
    }
    begin += count;
  }
}

}  // namespace
}  // namespace torchweld::x86
