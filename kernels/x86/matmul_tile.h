// The register tile of products with packed weights, written once for both vector widths.
// Included by the two files that are compiled for one instruction set each; see matmul_isa.h.
#pragma once

#include <cstdint>

#include "kernels/x86/matmul_isa.h"

namespace torchweld::x86 {
namespace {

template <class Isa, int kRows, int kVectors>
struct Sums {
  typename Isa::V at[kRows][kVectors];

  [[gnu::always_inline]] void add(const Sums& other) {
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVectors; ++v) at[r][v] = Isa::add(at[r][v], other.at[r][v]);
  }
  [[gnu::always_inline]] void clear() {
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVectors; ++v) at[r][v] = Isa::zero();
  }
};

/// The sums of [k, end).
///
/// Those of one vector depend on each other for four cycles and two can start every cycle, so a
/// tile with few of them keeps kSets independent ones over k.
template <class Isa, int kPanel, int kRows, int kVectors>
[[gnu::always_inline]] inline void sum_block(const MatmulCall& c, const float* x, const float* w,
                                             int64_t k, int64_t end,
                                             Sums<Isa, kRows, kVectors>* out) {
  using V = typename Isa::V;
  constexpr int kTiles = kRows * kVectors;
  constexpr int kSets = kTiles >= 8 ? 1 : kTiles >= 3 ? 2 : kTiles == 2 ? 4 : 8;
  const int64_t stride = c.x_row_stride;
  Sums<Isa, kRows, kVectors> sum[kSets];
  for (int s = 0; s < kSets; ++s) sum[s].clear();
  for (; k + kSets <= end; k += kSets) {
    for (int s = 0; s < kSets; ++s) {
      V b[kVectors];
      for (int v = 0; v < kVectors; ++v) b[v] = Isa::load(w + (k + s) * kPanel + v * Isa::kLanes);
      for (int r = 0; r < kRows; ++r) {
        const V a = Isa::all(x[r * stride + k + s]);
        for (int v = 0; v < kVectors; ++v) sum[s].at[r][v] = Isa::fma(a, b[v], sum[s].at[r][v]);
      }
    }
  }
  for (; k < end; ++k) {
    for (int r = 0; r < kRows; ++r) {
      const V a = Isa::all(x[r * stride + k]);
      for (int v = 0; v < kVectors; ++v)
        sum[0].at[r][v] = Isa::fma(a, Isa::load(w + k * kPanel + v * Isa::kLanes), sum[0].at[r][v]);
    }
  }
  for (int step = kSets / 2; step > 0; step /= 2)
    for (int s = 0; s < step; ++s) sum[s].add(sum[s + step]);
  *out = sum[0];
}

/// What follows the sums, on their way to memory; `left`: columns that exist, unless all do.
template <class Isa, bool kWhole, int kRows, int kVectors>
[[gnu::always_inline]] inline void finish(const MatmulCall& c, Sums<Isa, kRows, kVectors> sum,
                                          int64_t row, int64_t column, int left) {
  using V = typename Isa::V;
  constexpr int kLanes = Isa::kLanes;
  const auto load = [left](const float* p, int v) {
    return kWhole ? Isa::load(p + v * kLanes) : Isa::load_first(p + v * kLanes, left - v * kLanes);
  };
  if (c.bias != nullptr) {
    for (int v = 0; v < kVectors; ++v) {
      const V bias = load(c.bias + column, v);
      for (int r = 0; r < kRows; ++r) sum.at[r][v] = Isa::add(sum.at[r][v], bias);
    }
  }
  if (c.summand != nullptr) {
    const float* from = c.summand + row * c.summand_row_stride + column;
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVectors; ++v)
        sum.at[r][v] = Isa::add(sum.at[r][v], load(from + r * c.summand_row_stride, v));
  }
  if (c.relu) {
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVectors; ++v) sum.at[r][v] = Isa::relu(sum.at[r][v]);
  }
  float* to = c.out + row * c.out_row_stride + column;
  for (int r = 0; r < kRows; ++r, to += c.out_row_stride) {
    for (int v = 0; v < kVectors; ++v) {
      if (kWhole) {
        Isa::store(to + v * kLanes, sum.at[r][v]);
      } else {
        Isa::store_first(to + v * kLanes, sum.at[r][v], left - v * kLanes);
      }
    }
  }
}

/// kRows rows by kVectors vectors of columns, of which the first `columns` exist.
///
/// Blocks of k are summed by themselves, so that the error grows with the block and the number of
/// blocks, not with k.
template <class Isa, int kPanel, int kRows, int kVectors>
void matmul_tile(const MatmulCall& c, int64_t row, int64_t column, const float* w, int columns) {
  constexpr int64_t kBlock = 128;
  const float* x = c.x + row * c.x_row_stride;
  Sums<Isa, kRows, kVectors> total;
  sum_block<Isa, kPanel>(c, x, w, 0, c.k < kBlock ? c.k : kBlock, &total);
  for (int64_t k = kBlock; k < c.k; k += kBlock) {
    Sums<Isa, kRows, kVectors> block;
    sum_block<Isa, kPanel>(c, x, w, k, k + kBlock < c.k ? k + kBlock : c.k, &block);
    total.add(block);
  }
  if (columns >= kVectors * Isa::kLanes) {
    finish<Isa, true>(c, total, row, column, columns);
  } else {
    finish<Isa, false>(c, total, row, column, columns);
  }
}

/// One tile of `rows`, at most kRows.
template <class Isa, int kPanel, int kVectors, int kRows>
void matmul_rows(const MatmulCall& c, int64_t rows, int64_t row, int64_t column, const float* w,
                 int columns) {
  if constexpr (kRows > 0) {
    if (rows == kRows) {
      matmul_tile<Isa, kPanel, kRows, kVectors>(c, row, column, w, columns);
    } else {
      matmul_rows<Isa, kPanel, kVectors, kRows - 1>(c, rows, row, column, w, columns);
    }
  }
}

/// Tiles of at most kRows rows by kVectors vectors; the rows are shared out evenly, since a tile of
/// few leaves the units idle.
template <class Isa, int kPanel, int kVectors, int kRows>
void matmul_columns(const MatmulCall& c) {
  constexpr int kWidth = kVectors * Isa::kLanes;
  const int64_t tiles = (c.m + kRows - 1) / kRows;
  const int64_t least = tiles == 0 ? 0 : c.m / tiles, longer = c.m - tiles * least;
  for (int64_t column = c.begin; column < c.end; column += kWidth) {
    const float* w = c.w + column / kPanel * kPanel * c.k + column % kPanel;
    const int64_t left = c.n - column;
    const int columns = static_cast<int>(left < kWidth ? left : kWidth);
    for (int64_t t = 0, row = 0; t < tiles; ++t) {
      const int64_t rows = least + (t < longer ? 1 : 0);
      matmul_rows<Isa, kPanel, kVectors, kRows>(c, rows, row, column, w, columns);
      row += rows;
    }
  }
}

}  // namespace
}  // namespace torchweld::x86
