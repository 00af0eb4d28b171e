// The register tile of products whose weights stay as they are, [n, k]: sums along k in the lanes
// of a vector, added up at the end. Included by matmul_avx2.cpp alone; see matmul_isa.h.
#pragma once

#include <cstdint>

#include "kernels/x86/matmul_isa.h"

namespace torchweld::x86 {
namespace {

/// kRows rows of x by kColumns rows of w: one column, or a multiple of four.
template <class Isa, int kRows, int kColumns>
void dot_tile(const MatmulCall& c, int64_t row, int64_t column) {
  using V = typename Isa::V;
  // Few sums wait for each other: then each has kSets, over alternate vectors.
  constexpr int kSets = kRows * kColumns >= 8 ? 1 : kRows * kColumns >= 3 ? 2 : 4;
  const float* x = c.x + row * c.x_row_stride;
  const float* w = c.w + column * c.w_row_stride;
  V sum[kSets][kRows][kColumns];
  for (int s = 0; s < kSets; ++s)
    for (int r = 0; r < kRows; ++r)
      for (int j = 0; j < kColumns; ++j) sum[s][r][j] = Isa::zero();
  int64_t k = 0;
  for (; k + kSets * Isa::kLanes <= c.k; k += kSets * Isa::kLanes) {
    for (int s = 0; s < kSets; ++s) {
      V a[kRows];
      for (int r = 0; r < kRows; ++r)
        a[r] = Isa::load(x + r * c.x_row_stride + k + s * Isa::kLanes);
      for (int j = 0; j < kColumns; ++j) {
        const V b = Isa::load(w + j * c.w_row_stride + k + s * Isa::kLanes);
        for (int r = 0; r < kRows; ++r) sum[s][r][j] = Isa::fma(a[r], b, sum[s][r][j]);
      }
    }
  }
  for (; k < c.k; k += Isa::kLanes) {
    const int left = c.k - k < Isa::kLanes ? static_cast<int>(c.k - k) : Isa::kLanes;
    V a[kRows];
    for (int r = 0; r < kRows; ++r) a[r] = Isa::load_first(x + r * c.x_row_stride + k, left);
    for (int j = 0; j < kColumns; ++j) {
      const V b = Isa::load_first(w + j * c.w_row_stride + k, left);
      for (int r = 0; r < kRows; ++r) sum[0][r][j] = Isa::fma(a[r], b, sum[0][r][j]);
    }
  }
  for (int s = 1; s < kSets; ++s)
    for (int r = 0; r < kRows; ++r)
      for (int j = 0; j < kColumns; ++j) sum[0][r][j] = Isa::add(sum[0][r][j], sum[s][r][j]);
  for (int r = 0; r < kRows; ++r) {
    float* out = c.out + (row + r) * c.out_row_stride + column;
    const float* summand =
        c.summand == nullptr ? nullptr : c.summand + (row + r) * c.summand_row_stride + column;
    if constexpr (kColumns == 1) {
      __m128 total = Isa::sum_of(sum[0][r][0]);
      if (c.bias != nullptr) total = _mm_add_ss(total, _mm_load_ss(c.bias + column));
      if (summand != nullptr) total = _mm_add_ss(total, _mm_load_ss(summand));
      if (c.clamps)  // the second operand where one of them is NaN
        total = _mm_min_ss(_mm_set_ss(c.clamp.high), _mm_max_ss(_mm_set_ss(c.clamp.low), total));
      _mm_store_ss(out, total);
    } else {
      for (int j = 0; j < kColumns; j += 4) {
        const V* four = &sum[0][r][j];
        __m128 total = Isa::sums_of(four[0], four[1], four[2], four[3]);
        if (c.bias != nullptr) total = _mm_add_ps(total, _mm_loadu_ps(c.bias + column + j));
        if (summand != nullptr) total = _mm_add_ps(total, _mm_loadu_ps(summand + j));
        if (c.clamps)
          total =
              _mm_min_ps(_mm_set1_ps(c.clamp.high), _mm_max_ps(_mm_set1_ps(c.clamp.low), total));
        _mm_storeu_ps(out + j, total);
      }
    }
  }
}

/// All columns of kRows rows.
template <class Isa, int kRows>
void dot_columns(const MatmulCall& c, int64_t row, int64_t begin, int64_t end) {
  int64_t j = begin;
  if constexpr (kRows == 1) {
    for (; j + 8 <= end; j += 8) dot_tile<Isa, 1, 8>(c, row, j);
  }
  for (; j + 4 <= end; j += 4) dot_tile<Isa, kRows, 4>(c, row, j);
  for (; j < end; ++j) dot_tile<Isa, kRows, 1>(c, row, j);
}

template <class Isa>
void dot_product(const MatmulCall& c) {
  // Few rows of w at a time, so that they are in the first cache for all rows of x; these come from
  // the second.
  constexpr int64_t kColumns = 8;
  const int64_t block = c.m <= 3 ? c.n : kColumns;
  for (int64_t j = c.begin; j < c.end; j += block) {
    const int64_t end = j + block < c.end ? j + block : c.end;
    int64_t row = 0;
    for (; c.m - row > 4 || c.m - row == 3; row += 3) dot_columns<Isa, 3>(c, row, j, end);
    for (; c.m - row >= 2; row += 2) dot_columns<Isa, 2>(c, row, j, end);
    if (row < c.m) dot_columns<Isa, 1>(c, row, j, end);
  }
}

}  // namespace
}  // namespace torchweld::x86
