// Matrix products with few rows or few columns, f32, by hand: where a library's dispatch and
// packing cost more than the product, or its blocks don't fit the shape.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "kernels/x86/isa.h"

namespace torchweld::x86 {

/// A right-hand matrix of a product, rearranged once.
///
/// Shapes   [ceil(n / panel)][k][panel], zeros past column n; `panel` is 8 for n up to 8, 16 up to
/// 16 and 32 otherwise. Memory   64-byte aligned, owned; copies share it.
struct PackedMatrix {
  std::shared_ptr<const float> data;
  int64_t k = 0, n = 0;
  int64_t panel = 32;

  static int64_t panel_of(int64_t n) { return n <= 8 ? 8 : n <= 16 ? 16 : 32; }
};

/// Packs w [k, n], whose element (i, j) is at w[i * stride_k + j * stride_n].
PackedMatrix pack(const float* w, int64_t k, int64_t n, int64_t stride_k, int64_t stride_n);

/// out = relu(x w + bias + summand), or without what isn't there.
///
/// Shapes   x [m, k], summand and out [m, n] with contiguous rows, strides in elements; bias [n]; w
///          packed, or [n, k] with contiguous rows where `panel` is 0.
/// Memory   no alignment asked; `summand` may be `out`, nothing else may overlap it.
/// Numerics f32 products and sums by fma, in partial sums that are added at the end; relu keeps
/// NaN.
struct MatmulCall {
  const float* x = nullptr;
  int64_t m = 0, x_row_stride = 0;
  const float* w = nullptr;
  int64_t k = 0, n = 0;
  int64_t panel = 0;         ///< of a packed matrix
  int64_t w_row_stride = 0;  ///< of one that isn't
  const float* bias = nullptr;
  const float* summand = nullptr;
  int64_t summand_row_stride = 0;
  bool relu = false;
  float* out = nullptr;
  int64_t out_row_stride = 0;
  int64_t begin = 0, end = 0;  ///< columns; multiples of 32 or n

  void set(const PackedMatrix& packed) {
    w = packed.data.get();
    k = packed.k;
    n = end = packed.n;
    panel = packed.panel;
  }
};

/// Runs the call on the calling thread. Needs  AVX2 and FMA (isa.h).
void small_matmul(const MatmulCall& call);

/// The same on several threads where that pays: columns or rows go to `parallel` in pieces.
using SplitWork =
    std::function<void(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t)>&)>;
void small_matmul(const MatmulCall& call, const SplitWork& parallel);

/// How a product of constant weights runs best on a machine like those that were measured.
enum class MatmulWay : uint8_t {
  kLibrary,  ///< not here
  kPacked,   ///< by pack()
  kInPlace,  ///< on the weights as they are: their rows have to be contiguous
};

/// Shapes   as MatmulCall; `contiguous_rows`: whether the weight is [n, k] with contiguous rows.
/// Source   docs/benchmarks.md, "Skinny products".
MatmulWay way_of_matmul(Isa isa, int64_t m, int64_t k, int64_t n, bool contiguous_rows);

}  // namespace torchweld::x86
