// Products of matrices that are made anew in each call, f32, by hand: small ones, for which a
// library's dispatch takes longer than the product.
// What it is not: products of constant weights, which are packed once (matmul.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel.h"

namespace torchweld::x86 {

/// out = a b for each matrix of a batch.
///
/// Shapes   a [m, k], b [k, n], out [m, n] with contiguous rows; one stride of a and one of b is 1,
///          whichever. Batch dims outermost first. Strides in elements.
/// Numerics sums by fma; those of packed matrices in the order of MKL's.
struct BatchedProduct {
  static constexpr size_t kMostDims = 4;
  /// How b is read.
  enum class Way : uint8_t {
    kRows,    ///< its rows as they lie, once for each row of a
    kDots,    ///< its columns as they lie, which are contiguous
    kPacked,  ///< packed first
  };

  int64_t m = 0, k = 0, n = 0;
  int64_t a_row = 0, a_column = 0, b_row = 0, b_column = 0, out_row = 0;
  size_t dims = 0;
  int64_t sizes[kMostDims] = {};
  int64_t a[kMostDims] = {}, b[kMostDims] = {}, out[kMostDims] = {};  ///< strides of the batch

  int64_t matrices() const;
  Way way() const;
  /// Whether a is turned first, so that its rows are contiguous.
  bool turns() const;
  /// Pieces that different threads may do, each with scratch of its own.
  int64_t parts() const;
  int64_t scratch_bytes() const;
};

/// Memory   scratch_bytes() of scratch, aligned to 64; out overlaps nothing. Needs AVX2 and FMA.
void run_batched_product(const BatchedProduct& call, const float* a, const float* b, float* out,
                         float* scratch, const ParallelFor& parallel);

}  // namespace torchweld::x86
