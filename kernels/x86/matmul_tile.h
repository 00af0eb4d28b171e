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

/// Adds the products of `count` elements of each row, from x and w on, to `sums`.
///
/// Those of one vector depend on each other for four cycles and two can start every cycle, so a
/// tile with few of them keeps kSets independent ones over k.
template <class Isa, int kPanel, int kRows, int kVectors>
[[gnu::always_inline]] inline void add_products(const float* x, int64_t stride, const float* w,
                                                int64_t count, Sums<Isa, kRows, kVectors>* sums) {
  using V = typename Isa::V;
  constexpr int kTiles = kRows * kVectors;
  constexpr int kSets = kTiles >= 8 ? 1 : kTiles >= 3 ? 2 : kTiles == 2 ? 4 : 8;
  Sums<Isa, kRows, kVectors> sum[kSets];
  sum[0] = *sums;
  for (int s = 1; s < kSets; ++s) sum[s].clear();
  int64_t k = 0;
  for (; k + kSets <= count; k += kSets) {
    for (int s = 0; s < kSets; ++s) {
      V b[kVectors];
      for (int v = 0; v < kVectors; ++v) b[v] = Isa::load(w + (k + s) * kPanel + v * Isa::kLanes);
      for (int r = 0; r < kRows; ++r) {
        const V a = Isa::all(x[r * stride + k + s]);
        for (int v = 0; v < kVectors; ++v) sum[s].at[r][v] = Isa::fma(a, b[v], sum[s].at[r][v]);
      }
    }
  }
  for (; k < count; ++k) {
    for (int r = 0; r < kRows; ++r) {
      const V a = Isa::all(x[r * stride + k]);
      for (int v = 0; v < kVectors; ++v)
        sum[0].at[r][v] = Isa::fma(a, Isa::load(w + k * kPanel + v * Isa::kLanes), sum[0].at[r][v]);
    }
  }
  for (int step = kSets / 2; step > 0; step /= 2)
    for (int s = 0; s < step; ++s) sum[s].add(sum[s + step]);
  *sums = sum[0];
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
  if (c.scale != nullptr) {
    for (int v = 0; v < kVectors; ++v) {
      const V scale = load(c.scale + column, v);
      const V bias = c.bias == nullptr ? Isa::zero() : load(c.bias + column, v);
      for (int r = 0; r < kRows; ++r) sum.at[r][v] = Isa::fma(sum.at[r][v], scale, bias);
    }
  } else if (c.bias != nullptr) {
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
  if (c.clamps) {
    const V low = Isa::all(c.clamp.low), high = Isa::all(c.clamp.high);
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kVectors; ++v) sum.at[r][v] = Isa::min(high, Isa::max(low, sum.at[r][v]));
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
  Sums<Isa, kRows, kVectors> total, block;
  block.clear();
  const int64_t stretches = c.outer * c.inner;
  const int64_t stretch = stretches == 1 ? c.k : c.k / stretches;  // a division takes long
  int64_t left = kBlock;                                           // of the block
  bool has_total = false;
  for (int64_t o = 0; o < c.outer; ++o) {
    for (int64_t i = 0; i < c.inner; ++i) {
      const float* from = x + o * c.outer_stride + i * c.inner_stride;
      for (int64_t k = 0; k < stretch;) {
        if (left == 0) {
          if (has_total) block.add(total);
          total = block;
          asm volatile("" : "+m"(total.at));  // in memory: the registers are the block's
          has_total = true;
          block.clear();
          left = kBlock;
        }
        const int64_t count = stretch - k < left ? stretch - k : left;
        add_products<Isa, kPanel>(from + k, c.x_row_stride, w, count, &block);
        k += count;
        w += count * kPanel;
        left -= count;
      }
    }
  }
  if (has_total) block.add(total);
  if (columns >= kVectors * Isa::kLanes) {
    finish<Isa, true>(c, block, row, column, columns);
  } else {
    finish<Isa, false>(c, block, row, column, columns);
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

/// Tiles of at most kRows rows by kVectors vectors; the rows of [begin, end) are shared out evenly,
/// since a tile of few leaves the units idle.
template <class Isa, int kPanel, int kVectors, int kRows>
void matmul_columns(const MatmulCall& c, int64_t begin, int64_t end) {
  constexpr int kWidth = kVectors * Isa::kLanes;
  const int64_t m = end - begin;
  const int64_t tiles = (m + kRows - 1) / kRows;
  const int64_t least = tiles == 0 ? 0 : m / tiles, longer = m - tiles * least;
  for (int64_t column = c.begin; column < c.end; column += kWidth) {
    const float* w = c.w + column / kPanel * kPanel * c.k + column % kPanel;
    const int64_t left = c.n - column;
    const int columns = static_cast<int>(left < kWidth ? left : kWidth);
    for (int64_t t = 0, row = begin; t < tiles; ++t) {
      const int64_t rows = least + (t < longer ? 1 : 0);
      if (kVectors == 2 && columns <= Isa::kLanes) {
        matmul_rows<Isa, kPanel, 1, kRows>(c, rows, row, column, w, columns);
      } else {
        matmul_rows<Isa, kPanel, kVectors, kRows>(c, rows, row, column, w, columns);
      }
      row += rows;
    }
  }
}

/// In blocks of rows, so that those of x stay in the second cache for all columns.
template <class Isa, int kPanel, int kVectors, int kRows>
void matmul_blocks(const MatmulCall& c) {
  constexpr int64_t kBlock = 240;  // a multiple of every kRows
  for (int64_t row = 0; row < c.m; row += kBlock)
    matmul_columns<Isa, kPanel, kVectors, kRows>(c, row, row + kBlock < c.m ? row + kBlock : c.m);
}

}  // namespace
}  // namespace torchweld::x86
