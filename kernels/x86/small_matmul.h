// Matrix products with few rows, f32, by hand: where a library's dispatch and packing cost more
// than the product.
#pragma once

#include <cstdint>
#include <memory>

namespace torchweld::x86 {

/// A right-hand matrix of a product, rearranged once.
///
/// Shapes   [ceil(n / panel)][k][panel], zeros past column n; `panel` is 16 for n up to 16 and 32
/// otherwise. Memory   64-byte aligned, owned; copies share it.
struct PackedMatrix {
  std::shared_ptr<const float> data;
  int64_t k = 0, n = 0;
  int64_t panel = 32;
};

/// Packs w [k, n], whose element (i, j) is at w[i * stride_k + j * stride_n].
PackedMatrix pack(const float* w, int64_t k, int64_t n, int64_t stride_k, int64_t stride_n);

/// out = x w + bias, on one thread.
///
/// Shapes   x [m, k] and out [m, n] with contiguous rows, strides in elements; bias [n] or null.
/// Memory   no alignment asked; out must not overlap the inputs.
/// Numerics f32 products and sums by fma; up to eight partial sums over k, added at the end.
/// Needs    AVX2 and FMA (isa.h).
void small_matmul(const float* x, int64_t m, int64_t x_row_stride, const PackedMatrix& w,
                  const float* bias, float* out, int64_t out_row_stride);

/// Columns [begin, end) of the same product, for callers that split it; both are multiples of 32 or
/// n.
void small_matmul_columns(const float* x, int64_t m, int64_t x_row_stride, const PackedMatrix& w,
                          const float* bias, float* out, int64_t out_row_stride, int64_t begin,
                          int64_t end);

}  // namespace torchweld::x86
