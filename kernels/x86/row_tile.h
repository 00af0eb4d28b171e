// One row or few times packed weights, as MKL sums them on AMD processors. Included by the two
// files that are compiled for one instruction set each; see matmul_isa.h.
#pragma once

#include <cstdint>

#include "kernels/x86/matmul_tile.h"

namespace torchweld::x86 {
namespace {

/// kVectors vectors of columns, of which the first `columns` exist: four sums over every fourth
/// product, which are rounded before they are added; the first products, up to a multiple of four
/// before the end, to the first sum. Source  measured, MKL 2024.2.
template <class Isa, int kPanel, int kVectors>
void row_tile(const MatmulCall& c, int64_t column, const float* w, int columns) {
  using V = typename Isa::V;
  using S = Sums<Isa, 1, kVectors>;
  S sums[4];
#pragma GCC unroll 4
  for (S& sum : sums) sum.clear();
  const auto add = [w](S * sum, float element, int64_t row) __attribute__((always_inline)) {
    const V a = Isa::all(element);
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v)
      sum->all[v] = Isa::add(
          sum->all[v], Isa::rounded_product(a, Isa::load(w + row * kPanel + v * Isa::kLanes)));
  };
  int64_t k = 0;
  for (const int64_t first = (c.k - 1) % 4 + 1; k < first; ++k) add(&sums[0], c.x[k], k);
  for (; k < c.k; k += 4) {
#pragma GCC unroll 4
    for (int s = 0; s < 4; ++s) add(&sums[s], c.x[k + s], k + s);
  }
  sums[0].add(sums[2].all);
  sums[1].add(sums[3].all);
  sums[0].add(sums[1].all);
  if (columns >= kVectors * Isa::kLanes) {
    finish<Isa, true>(c, c.bias, sums[0], 0, column, columns);
  } else {
    finish<Isa, false>(c, c.bias, sums[0], 0, column, columns);
  }
}

template <class Isa, int kPanel, int kVectors>
void row_columns(const MatmulCall& c) {
  constexpr int kWidth = kVectors * Isa::kLanes;
  for (int64_t column = c.begin; column < c.end; column += kWidth) {
    const float* w = c.w + column / kPanel * kPanel * c.k + column % kPanel;
    const int64_t left = c.n - column;
    if (kVectors == 2 && left <= Isa::kLanes) {
      row_tile<Isa, kPanel, 1>(c, column, w, static_cast<int>(left));
    } else {
      row_tile<Isa, kPanel, kVectors>(c, column, w,
                                      static_cast<int>(left < kWidth ? left : kWidth));
    }
  }
}

/// kRows rows by kVectors vectors of columns, of which the first `columns` exist.
template <class Isa, int kPanel, int kRows, int kVectors>
void rounded_tile(const MatmulCall& c, int64_t row, int64_t column, const float* w, int columns) {
  using V = typename Isa::V;
  const float* x = c.x + row * c.x_row_stride;
  Sums<Isa, kRows, kVectors> sums;
  sums.clear();
  const bool starts = c.bias != nullptr && c.scale == nullptr;
  if (starts) sums.add_to_rows(c.bias + column, columns);
  for (int64_t k = 0; k < c.k; ++k, ++x, w += kPanel) {
    V b[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) b[v] = Isa::load(w + v * Isa::kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const V a = Isa::all(x[r * c.x_row_stride]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v)
        sums.at(r, v) = Isa::add(sums.at(r, v), Isa::rounded_product(a, b[v]));
    }
  }
  const float* const bias = starts ? nullptr : c.bias;
  if (columns >= kVectors * Isa::kLanes) {
    finish<Isa, true>(c, bias, sums, row, column, columns);
  } else {
    finish<Isa, false>(c, bias, sums, row, column, columns);
  }
}

template <class Isa, int kPanel, int kVectors, int kRows>
void rounded_rows(const MatmulCall& c, int64_t rows, int64_t row, int64_t column, const float* w,
                  int columns) {
  if constexpr (kRows > 0) {
    if (rows == kRows) {
      rounded_tile<Isa, kPanel, kRows, kVectors>(c, row, column, w, columns);
    } else {
      rounded_rows<Isa, kPanel, kVectors, kRows - 1>(c, rows, row, column, w, columns);
    }
  }
}

template <class Isa, int kPanel, int kVectors>
void rounded_columns(const MatmulCall& c) {
  constexpr int kWidth = kVectors * Isa::kLanes, kRows = 4;
  for (int64_t column = c.begin; column < c.end; column += kWidth) {
    const float* w = c.w + column / kPanel * kPanel * c.k + column % kPanel;
    const int64_t left = c.n - column;
    const int columns = static_cast<int>(left < kWidth ? left : kWidth);
    for (int64_t row = 0; row < c.m; row += kRows) {
      const int64_t rows = c.m - row < kRows ? c.m - row : kRows;
      rounded_rows<Isa, kPanel, kVectors, kRows>(c, rows, row, column, w, columns);
    }
  }
}

}  // namespace
}  // namespace torchweld::x86
