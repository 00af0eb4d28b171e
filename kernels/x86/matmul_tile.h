// The register tile of products with packed weights, written once for both vector widths.
// Included by the two files that are compiled for one instruction set each; see matmul_isa.h.
#pragma once

#include <cstdint>

#include "kernels/x86/matmul_isa.h"

namespace torchweld::x86 {
namespace {

constexpr int64_t kLine = 16;           // floats of a cache's line
constexpr int64_t kFewWeights = 32768;  // that are in the second cache anyway
constexpr int64_t kMostAhead = 65536;   // floats that the second cache has room for beside the rest

/// The sums of kRows rows by kVectors vectors of columns. They live in registers, which takes loops
/// that are unrolled before anything else is done to them.
///
/// Those of one vector depend on each other for four cycles and two can start every cycle, so a
/// tile of one row keeps kSets independent ones over k. With more, the order is the one asked for.
/// kHalf: of the last vector only the first half is wanted, whose products take half the time.
template <class Isa, int kRows, int kVectors, bool kHalf = false>
struct Sums {
  using V = typename Isa::V;
  static constexpr int kTiles = kRows * kVectors;
  static constexpr int kSets = kRows >= 2 || kTiles >= 4 ? 1
                               : kTiles == 3             ? 2
                               : kTiles == 2             ? 4
                                                         : 8;
  V all[kSets * kTiles];

  [[gnu::always_inline]] V& at(int r, int v) { return all[r * kVectors + v]; }

  [[gnu::always_inline]] void clear() {
#pragma GCC unroll 32
    for (V& sum : all) sum = Isa::zero();
  }
  /// To one of the sets, one element of each row, `stride` apart, by a row of w.
  template <int kSet>
  [[gnu::always_inline]] void add_products(const float* x, int64_t stride, const float* w) {
    V b[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) b[v] = Isa::load(w + v * Isa::kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      V a;
      if constexpr (kHalf && kVectors == 1) {
        a = Isa::all_of_half(x[r * stride]);
      } else {
        a = Isa::all(x[r * stride]);
      }
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        V& sum = all[kSet * kTiles + r * kVectors + v];
        if constexpr (kHalf) {
          sum = v == kVectors - 1 ? Isa::add_half_product(sum, a, b[v])
                                  : Isa::add_product(sum, a, b[v]);
        } else {
          sum = Isa::add_product(sum, a, b[v]);
        }
      }
    }
  }
  /// To each set from this one on, elements of x that place(set) names by rows of w.
  template <int kPanel, int kSet, class Place>
  [[gnu::always_inline]] void add_to_sets(const Place& place, int64_t stride, const float* w) {
    add_products<kSet>(place(kSet), stride, w + kSet * kPanel);
    if constexpr (kSet + 1 < kSets) add_to_sets<kPanel, kSet + 1>(place, stride, w);
  }
  /// All sets into the first.
  template <int kLeft = kSets / 2>
  [[gnu::always_inline]] void join() {
    if constexpr (kLeft > 0) {
#pragma GCC unroll 16
      for (int i = 0; i < kLeft * kTiles; ++i) all[i] = Isa::add(all[i], all[i + kLeft * kTiles]);
      join<kLeft / 2>();
    }
  }
  [[gnu::always_inline]] void add(const V* others) {
#pragma GCC unroll 16
    for (int i = 0; i < kTiles; ++i) all[i] = Isa::add(all[i], others[i]);
  }
  /// To each row the same, of which the first `columns` exist.
  [[gnu::always_inline]] void add_to_rows(const float* row, int columns) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const V value = Isa::load_first(row + v * Isa::kLanes, columns - v * Isa::kLanes);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) at(r, v) = Isa::add(at(r, v), value);
    }
  }
  [[gnu::always_inline]] void copy_to(V* to) const {
#pragma GCC unroll 16
    for (int i = 0; i < kTiles; ++i) to[i] = all[i];
  }
};

/// What follows the sums, on their way to memory; `left`: columns that exist, unless all do. Its
/// loops are unrolled early, too, or the sums go by the stack.
template <class Isa, bool kWhole, int kRows, int kVectors, bool kHalf>
[[gnu::always_inline]] inline void finish(const MatmulCall& c, const float* bias,
                                          Sums<Isa, kRows, kVectors, kHalf>& sum, int64_t row,
                                          int64_t column, int left) {
  using V = typename Isa::V;
  constexpr int kLanes = Isa::kLanes;
  const auto load = [left](const float* p, int v) __attribute__((always_inline)) {
    return kWhole ? Isa::load(p + v * kLanes) : Isa::load_first(p + v * kLanes, left - v * kLanes);
  };
  if (c.scale != nullptr) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const V scale = load(c.scale + column, v);
      const V shift = bias == nullptr ? Isa::zero() : load(bias + column, v);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) sum.at(r, v) = Isa::fma(sum.at(r, v), scale, shift);
    }
  } else if (bias != nullptr) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const V of_column = load(bias + column, v);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) sum.at(r, v) = Isa::add(sum.at(r, v), of_column);
    }
  }
  if (c.summand != nullptr) {
    const float* from = c.summand + row * c.summand_row_stride + column;
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v)
        sum.at(r, v) = Isa::add(sum.at(r, v), load(from + r * c.summand_row_stride, v));
    }
  }
  if (c.clamps) {  // relu, above all, has one limit
    const V low = Isa::all(c.clamp.low), high = Isa::all(c.clamp.high);
#pragma GCC unroll 32
    for (int i = 0; i < kRows * kVectors; ++i) sum.all[i] = Isa::max(low, sum.all[i]);
    if (c.clamp.high < __builtin_inff()) {
#pragma GCC unroll 32
      for (int i = 0; i < kRows * kVectors; ++i) sum.all[i] = Isa::min(high, sum.all[i]);
    }
  }
  float* to = c.out + row * c.out_row_stride + column;
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r, to += c.out_row_stride) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      if (kWhole) {
        Isa::store(to + v * kLanes, sum.at(r, v));
      } else {
        Isa::store_first(to + v * kLanes, sum.at(r, v), left - v * kLanes);
      }
    }
  }
}

/// Lines of a tile of a matrix, to the first cache.
template <class Isa, int kRows, int kVectors>
[[gnu::always_inline]] inline void fetch_tile(const float* row, int64_t stride) {
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r, row += stride) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) __builtin_prefetch(row + v * Isa::kLanes);
  }
}

constexpr int64_t kMklJoins = 2;  // so few products go with MKL's last partial sum

/// How many products in a row MKL sums by themselves, of k for each element of a matrix.
/// Source  measured, MKL 2024.2 on an AMD processor with AVX2 and AVX-512.
inline int64_t mkl_partial_sum(int64_t k) {
  constexpr int64_t kMost = 192;
  return k <= kMost || k >= 2 * kMost ? kMost : k / 2;
}

/// How a tile goes over the rows of w: in one go by neighbours in x, in stretches and partial sums,
/// or by c.offsets, or in those stretches that are seen.
enum class Walk : uint8_t { kOnce, kStretches, kOffsets, kSeen };

/// kRows rows by kVectors vectors of columns, of which the first `columns` exist. `ahead`: how far
/// from each row of w a line lies that is wanted soon.
template <class Isa, int kPanel, int kRows, int kVectors, bool kHalf, Walk kWalk>
void matmul_tile(const MatmulCall& c, int64_t row, int64_t column, const float* w, int columns,
                 int64_t ahead) {
  using S = Sums<Isa, kRows, kVectors, kHalf>;
  const int64_t stride = c.x_row_stride;
  const float* const x = c.x + row * stride;
  // Stores wait for their lines in order, and those of the total below behind them; what is added
  // at the end has been out of the caches since it was made.
  if constexpr (S::kSets == 1) {
    fetch_tile<Isa, kRows, kVectors>(c.out + row * c.out_row_stride + column, c.out_row_stride);
    if (c.summand != nullptr && c.summand != c.out)
      fetch_tile<Isa, kRows, kVectors>(c.summand + row * c.summand_row_stride + column,
                                       c.summand_row_stride);
  }
  S sums;
  sums.clear();
  bool needs_bias = c.bias != nullptr && c.scale == nullptr;
  if (needs_bias && c.order.from_bias) {
    sums.add_to_rows(c.bias + column, columns);
    needs_bias = false;
  }
  typename Isa::V total[S::kTiles];
  bool has_total = false;
  const auto end_partial_sum = [&]() __attribute__((always_inline)) {
    sums.join();
    if (has_total) {
      sums.add(total);
    } else if (needs_bias) {
      sums.add_to_rows(c.bias + column, columns);
      needs_bias = false;
    }
    sums.copy_to(total);
    asm volatile("" : "+m"(total));  // in memory: the registers are the next sums'
    has_total = true;
    sums.clear();
  };
  // The next `count` rows of w by elements of x, of which the i-th is place(i)'s.
  const auto add = [&](int64_t count, const auto& place) __attribute__((always_inline)) {
    int64_t i = 0;
    if constexpr (S::kSets > 1) {
      for (; i + S::kSets <= count; i += S::kSets, w += S::kSets * kPanel) {
        if (ahead != 0) {  // few rows have no time to spare for nothing
          for (int set = 0; set < S::kSets; ++set)
            __builtin_prefetch(w + set * kPanel + ahead, 0, 2);
        }
        sums.template add_to_sets<kPanel, 0>([&](int set) { return place(i + set); }, stride, w);
      }
    }
    for (; S::kSets == 1 && i + 4 <= count; i += 4) {
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j, w += kPanel) {
        __builtin_prefetch(w + ahead, 0, 2);
        sums.template add_products<0>(place(i + j), stride, w);
      }
    }
    for (; i < count; ++i, w += kPanel) {
      __builtin_prefetch(w + ahead, 0, 2);
      sums.template add_products<0>(place(i), stride, w);
    }
  };
  using Split = SummationOrder::Split;
  constexpr bool kByOffsets = kWalk == Walk::kOffsets;
  const int64_t stretches = c.outer * c.inner;
  const bool as_mkl = c.order.split == Split::kMkl && (kByOffsets || stretches == 1);
  const bool splits = as_mkl || c.order.split == Split::kPieces;
  const int64_t joins = as_mkl ? kMklJoins : 0;
  if constexpr (kWalk == Walk::kOnce) {
    add(c.k, [x](int64_t i) { return x + i; });
  } else if constexpr (kWalk == Walk::kSeen) {
    const float* const weights = w;
    const int64_t stretch = c.k / stretches, piece = c.order.piece == 0 ? stretch : c.order.piece;
    for (int64_t first = 0; first < stretch; first += piece) {
      if (first > 0 && splits) end_partial_sum();
      const int64_t count = std::min(piece, stretch - first);
      for (int64_t o = c.seen_outer.begin; o < c.seen_outer.end; ++o) {
        const int64_t at = first * stretches + (o * c.inner + c.seen_inner.begin) * count;
        const float* from = x + first + o * c.outer_stride + c.seen_inner.begin * c.inner_stride;
        w = weights + at * kPanel;
        for (int64_t i = c.seen_inner.begin; i < c.seen_inner.end; ++i, from += c.inner_stride)
          add(count, [from](int64_t j) { return from + j; });
      }
    }
  } else if constexpr (kByOffsets) {
    const int64_t piece = as_mkl ? mkl_partial_sum(c.k) : splits ? c.order.piece * stretches : c.k;
    for (int64_t k = 0; k < c.k;) {
      if (k > 0) end_partial_sum();
      const int64_t left = c.k - k, count = left <= piece + joins ? left : piece;
      add(count, [offsets = c.offsets + k, x](int64_t i) { return x + offsets[i]; });
      k += count;
    }
  } else {
    const int64_t stretch = stretches == 1 ? c.k : c.k / stretches;  // a division takes long
    const int64_t piece = as_mkl               ? S::kSets * mkl_partial_sum(c.k)
                          : c.order.piece == 0 ? stretch
                                               : c.order.piece;
    for (int64_t first = 0; first < stretch;) {
      if (first > 0 && splits) end_partial_sum();
      const int64_t left = stretch - first, count = left <= piece + joins ? left : piece;
      for (int64_t o = 0; o < c.outer; ++o) {
        const float* from = x + first + o * c.outer_stride;
        for (int64_t i = 0; i < c.inner; ++i, from += c.inner_stride)
          add(count, [from](int64_t at) { return from + at; });
      }
      first += count;
    }
  }
  sums.join();
  if (has_total) sums.add(total);
  const float* const bias = needs_bias || c.scale != nullptr ? c.bias : nullptr;
  if (!kHalf && columns >= kVectors * Isa::kLanes) {
    finish<Isa, true>(c, bias, sums, row, column, columns);
  } else {
    finish<Isa, false>(c, bias, sums, row, column, columns);
  }
}

/// One tile of `rows`, at most kRows.
template <class Isa, int kPanel, int kVectors, bool kHalf, int kRows, Walk kWalk>
void matmul_rows(const MatmulCall& c, int64_t rows, int64_t row, int64_t column, const float* w,
                 int columns, int64_t ahead) {
  if constexpr (kRows > 0) {
    if (rows == kRows) {
      matmul_tile<Isa, kPanel, kRows, kVectors, kHalf, kWalk>(c, row, column, w, columns, ahead);
    } else {
      matmul_rows<Isa, kPanel, kVectors, kHalf, kRows - 1, kWalk>(c, rows, row, column, w, columns,
                                                                  ahead);
    }
  }
}

/// The same; half of the last vector where no more columns exist.
template <class Isa, int kPanel, int kVectors, int kRows, Walk kWalk>
void matmul_wide_rows(const MatmulCall& c, int64_t rows, int64_t row, int64_t column,
                      const float* w, int columns, int64_t ahead) {
  if (Isa::kHasHalves && columns <= kVectors * Isa::kLanes - Isa::kLanes / 2) {
    matmul_rows<Isa, kPanel, kVectors, Isa::kHasHalves, kRows, kWalk>(c, rows, row, column, w,
                                                                      columns, ahead);
  } else {
    matmul_rows<Isa, kPanel, kVectors, false, kRows, kWalk>(c, rows, row, column, w, columns,
                                                            ahead);
  }
}

/// Tiles of at most kRows rows by kVectors vectors; the rows of [begin, end) are shared out evenly,
/// since a tile of few leaves the units idle. The first tiles of a panel fetch the next one: from
/// where a model's weights lie they come as slowly as one tile uses them up.
template <class Isa, int kPanel, int kVectors, int kRows, Walk kWalk>
void matmul_columns(const MatmulCall& c, int64_t begin, int64_t end) {
  constexpr int kWidth = kVectors * Isa::kLanes;
  constexpr int64_t kLinesOfRow = kPanel > kLine ? kPanel / kLine : 1;
  const int64_t m = end - begin;
  const int64_t tiles = (m + kRows - 1) / kRows;
  const int64_t least = tiles == 0 ? 0 : m / tiles, longer = m - tiles * least;
  for (int64_t column = c.begin; column < c.end; column += kWidth) {
    const float* w = c.w + column / kPanel * kPanel * c.k + column % kPanel;
    const int64_t left = c.n - column;
    const int columns = static_cast<int>(left < kWidth ? left : kWidth);
    const float* const next = column + kPanel < c.end ? w + kPanel * c.k : c.ahead;
    // A line of each row of the next panel a tile, if there is room for all of them.
    const int64_t fetching = next == nullptr || c.k * c.n <= kFewWeights ? 0
                             : kPanel * c.k <= kMostAhead                ? kLinesOfRow
                                                                         : 1;
    for (int64_t t = 0, row = begin; t < tiles; ++t) {
      const int64_t rows = least + (t < longer ? 1 : 0);
      const int64_t ahead = t < fetching ? next - w + t * kLine : 0;
      if (kVectors == 2 && columns <= Isa::kLanes) {
        matmul_wide_rows<Isa, kPanel, 1, kRows, kWalk>(c, rows, row, column, w, columns, ahead);
      } else {
        matmul_wide_rows<Isa, kPanel, kVectors, kRows, kWalk>(c, rows, row, column, w, columns,
                                                              ahead);
      }
      row += rows;
    }
  }
}

/// In blocks of rows, so that those of x stay in the second cache for all columns.
template <class Isa, int kPanel, int kVectors, int kRows, Walk kWalk>
void matmul_blocks(const MatmulCall& c) {
  constexpr int64_t kBlock = 240;  // a multiple of every kRows
  for (int64_t row = 0; row < c.m; row += kBlock)
    matmul_columns<Isa, kPanel, kVectors, kRows, kWalk>(c, row,
                                                        row + kBlock < c.m ? row + kBlock : c.m);
}

/// Whether a tile's sum is neither split nor in stretches: it needs a third of the instructions
/// around its products, of which short sums have few.
inline bool is_one_sum(const MatmulCall& c) {
  using Split = SummationOrder::Split;
  if (c.outer * c.inner != 1) return false;
  switch (c.order.split) {
    case Split::kMkl:
      return c.k <= mkl_partial_sum(c.k) + kMklJoins;
    case Split::kPieces:
      return c.order.piece == 0 || c.k <= c.order.piece;
    default:
      return true;
  }
}

template <class Isa, int kPanel, int kVectors, int kRows>
void matmul_blocks(const MatmulCall& c) {
  if (!c.sees_all) {
    matmul_blocks<Isa, kPanel, kVectors, kRows, Walk::kSeen>(c);
  } else if (c.offsets != nullptr) {
    matmul_blocks<Isa, kPanel, kVectors, kRows, Walk::kOffsets>(c);
  } else if (is_one_sum(c)) {
    matmul_blocks<Isa, kPanel, kVectors, kRows, Walk::kOnce>(c);
  } else {
    matmul_blocks<Isa, kPanel, kVectors, kRows, Walk::kStretches>(c);
  }
}

}  // namespace
}  // namespace torchweld::x86
