// The register tile of small_matmul, written once for both vector widths.
// Included by the two files that are compiled for one instruction set each; uses nothing of the
// standard library, so that no shared inline function is ever compiled with instructions that a
// processor may lack.
#pragma once

#include <cstdint>

#include "kernels/x86/small_matmul.h"

namespace torchweld::x86 {

/// One call of small_matmul_columns.
struct MatmulCall {
  const float* x;
  int64_t m, x_row_stride;
  const float* w;
  int64_t k, n, panel;
  const float* bias;
  float* out;
  int64_t out_row_stride;
  int64_t begin, end;  ///< columns
};

void matmul_avx2(const MatmulCall& call);
void matmul_avx512(const MatmulCall& call);

namespace {

/// kRows rows by kVectors vectors of columns, of which the first `columns` exist.
///
/// The sums of one vector depend on each other for four cycles and two can start every cycle, so a
/// tile with few of them keeps kSets independent ones over k. Blocks of k are summed by themselves,
/// so that the error grows with the block and the number of blocks, not with k.
template <class Isa, int kRows, int kVectors>
void matmul_tile(const MatmulCall& c, int64_t row, int64_t column, const float* w, int columns) {
  using V = typename Isa::V;
  constexpr int64_t kBlock = 64;
  constexpr int kTiles = kRows * kVectors;
  constexpr int kSets = kTiles >= 6 ? 1 : kTiles >= 3 ? 2 : kTiles == 2 ? 4 : 8;
  const float* x = c.x + row * c.x_row_stride;
  V total[kRows][kVectors];
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVectors; ++v) total[r][v] = Isa::zero();
  for (int64_t begin = 0; begin < c.k; begin += kBlock) {
    const int64_t end = begin + kBlock < c.k ? begin + kBlock : c.k;
    V sum[kSets][kRows][kVectors];
    for (int s = 0; s < kSets; ++s)
      for (int r = 0; r < kRows; ++r)
        for (int v = 0; v < kVectors; ++v) sum[s][r][v] = Isa::zero();
    int64_t k = begin;
    for (; k + kSets <= end; k += kSets) {
      for (int s = 0; s < kSets; ++s) {
        V b[kVectors];
        for (int v = 0; v < kVectors; ++v)
          b[v] = Isa::load(w + (k + s) * c.panel + v * Isa::kLanes);
        for (int r = 0; r < kRows; ++r) {
          const V a = Isa::all(x[r * c.x_row_stride + k + s]);
          for (int v = 0; v < kVectors; ++v) sum[s][r][v] = Isa::fma(a, b[v], sum[s][r][v]);
        }
      }
    }
    for (; k < end; ++k) {
      for (int r = 0; r < kRows; ++r) {
        const V a = Isa::all(x[r * c.x_row_stride + k]);
        for (int v = 0; v < kVectors; ++v)
          sum[0][r][v] = Isa::fma(a, Isa::load(w + k * c.panel + v * Isa::kLanes), sum[0][r][v]);
      }
    }
    for (int step = kSets / 2; step > 0; step /= 2)
      for (int s = 0; s < step; ++s)
        for (int r = 0; r < kRows; ++r)
          for (int v = 0; v < kVectors; ++v)
            sum[s][r][v] = Isa::add(sum[s][r][v], sum[s + step][r][v]);
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVectors; ++v) total[r][v] = Isa::add(total[r][v], sum[0][r][v]);
  }
  for (int v = 0; v < kVectors; ++v) {
    const int left = columns - v * Isa::kLanes;
    if (left <= 0) break;
    const int64_t at = column + v * Isa::kLanes;
    const V bias = c.bias != nullptr ? Isa::load_first(c.bias + at, left) : Isa::zero();
    for (int r = 0; r < kRows; ++r)
      Isa::store_first(c.out + (row + r) * c.out_row_stride + at, Isa::add(total[r][v], bias),
                       left);
  }
}

template <class Isa, int kVectors, int kRows>
void matmul_rows(const MatmulCall& c, int64_t row, int64_t column, const float* w, int columns) {
  for (; row + kRows <= c.m; row += kRows)
    matmul_tile<Isa, kRows, kVectors>(c, row, column, w, columns);
  if constexpr (kRows > 1) {
    if (row < c.m) matmul_rows<Isa, kVectors, kRows - 1>(c, row, column, w, columns);
  }
}

template <class Isa, int kVectors>
void matmul_columns(const MatmulCall& c) {
  constexpr int kWidth = kVectors * Isa::kLanes;
  for (int64_t column = c.begin; column < c.end; column += kWidth) {
    const float* w = c.w + column / c.panel * c.panel * c.k + column % c.panel;
    const int64_t left = c.n - column;
    matmul_rows<Isa, kVectors, Isa::kMaxRows>(c, 0, column, w,
                                              static_cast<int>(left < kWidth ? left : kWidth));
  }
}

}  // namespace
}  // namespace torchweld::x86
