// Matrix products of constant weights, f32, by hand: weights packed once, what follows the product
// in registers, and no library's dispatch, which small ones wait for longer than for the product.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <memory>

#include "kernels/x86/conv_shape.h"
#include "kernels/x86/share_out.h"

namespace torchweld::x86 {

/// Up to so many columns leave half of the narrowest panel unused, or more.
inline constexpr int64_t kMostFewColumns = 4;

/// A right-hand matrix of a product, rearranged once.
///
/// Shapes   [ceil(n / panel)][k][panel], zeros past column n; `panel` is 8 for n up to 8, 16 up to
/// 16 and 32 otherwise, unless the layout says. Memory   64-byte aligned, owned; copies share it.
struct PackedMatrix {
  std::shared_ptr<const float> data;
  int64_t k = 0, n = 0;
  int64_t panel = 32;

  static int64_t panel_of(int64_t n) { return n <= 8 ? 8 : n <= 16 ? 16 : 32; }
};

/// A matrix [k, n] as it lies, with its strides in elements. Its rows are two dims, the inner one
/// `inner` long: those of a convolution's weight are taps and, within, channels. Packed, they come
/// `piece` of the inner dim at a time, with all of the outer one.
struct MatrixLayout {
  int64_t k = 0, n = 0;
  int64_t stride_k = 0, stride_n = 0;
  int64_t inner = 1, stride_inner = 0;
  int64_t piece = 0;  ///< 0: the inner dim whole
  int64_t panel = 0;  ///< columns of a panel, 0: PackedMatrix's choice
  auto operator<=>(const MatrixLayout&) const = default;
  int64_t columns_of_panel() const { return panel != 0 ? panel : PackedMatrix::panel_of(n); }
};

/// Packs w, whose element (i, j) is at w[i / inner * stride_k + i % inner * stride_inner + j *
/// stride_n].
PackedMatrix pack(const float* w, const MatrixLayout& layout);

/// The same into memory of the caller's: whole panels, each of layout.k rows. Rows or columns that
/// are contiguous are moved in vectors.
void pack_into(const float* w, const MatrixLayout& layout, int64_t panel, float* to);

/// Limits that keep NaN.
struct Clamp {
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
  static Clamp relu() { return {.low = 0}; }
  bool operator==(const Clamp&) const = default;
};

/// out = clamp(x w * scale + bias + summand), or without what isn't there.
///
/// Shapes   x [m, k], summand and out [m, n] with contiguous rows, strides in elements; scale [n]
///          and bias [n]; w packed, or [n, k] with contiguous rows where `panel` is 0. A row of x
///          may be several stretches, equally long and equally far apart, on a grid of `outer` by
///          `inner`. `offsets`, of packed weights, says the same element by element, for stretches
///          so short that a loop over each would wait for the guess of its end.
/// Memory   no alignment asked; `summand` may be `out`, nothing else may overlap it.
/// Numerics f32 products and sums by fma, of packed weights in the order asked for; those in panels
///          of one column by lanes.
struct MatmulCall {
  const float* x = nullptr;
  int64_t m = 0, x_row_stride = 0;
  int64_t outer = 1, outer_stride = 0, inner = 1, inner_stride = 0;  ///< of packed weights only
  SummationOrder order;                                              ///< of packed weights only
  const int32_t* offsets = nullptr;  ///< [k], of a row's elements from its first one
  /// Which stretches of the grid are more than zeros, where not all are: the others are left out.
  /// Of sums that aren't split as MKL's. x may then begin outside of what may be read.
  struct Seen {
    int64_t begin = 0, end = 0;
    bool operator==(const Seen&) const = default;
  };
  Seen seen_outer, seen_inner;
  bool sees_all = true;
  const float* w = nullptr;
  int64_t k = 0, n = 0;
  int64_t panel = 0;             ///< of a packed matrix
  int64_t w_row_stride = 0;      ///< of one that isn't, or of panels of one column
  const float* scale = nullptr;  ///< of packed weights only
  const float* bias = nullptr;
  const float* summand = nullptr;
  int64_t summand_row_stride = 0;
  bool clamps = false;
  Clamp clamp;
  float* out = nullptr;
  int64_t out_row_stride = 0;
  /// Columns; multiples of 32 or n. Or, of packed weights, within one panel: n may end there, too.
  int64_t begin = 0, end = 0;
  const float* ahead = nullptr;  ///< packed weights that a later call reads, fetched meanwhile

  void set(const PackedMatrix& packed) {
    w = packed.data.get();
    k = packed.k;
    n = end = packed.n;
    panel = packed.panel;
  }
};

/// Runs the call on the calling thread. Needs  AVX2 and FMA (isa.h).
void matmul(const MatmulCall& call);

/// The same on several threads where that pays: columns or rows go to `parallel` in pieces. With
/// `after`, if that isn't empty, for all rows.
void matmul(const MatmulCall& call, const SplitWork& parallel, const AfterRows& after = {});

/// Whether a product of constant weights runs best on the weights as they are. Otherwise they are
/// packed.
///
/// Shapes   as MatmulCall; `contiguous_rows`: whether the weight is [n, k] with contiguous rows,
///          without which it can't.
/// Source   bench/products.cpp; figures in docs/benchmarks.md.
bool is_best_in_place(int64_t m, int64_t k, int64_t n, bool contiguous_rows);

}  // namespace torchweld::x86
