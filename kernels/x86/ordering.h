// Rows in order, or the first elements of that order, by hand and of any type: topk, sort.
// Which of equal elements comes first is LibTorch's choice, which is that of its std:: algorithms.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/kernel.h"

namespace torchweld::x86 {

enum class OrderingOp : uint8_t {
  kTop,   ///< the first `made` elements; in order if `in_order`, else as std::nth_element left them
  kSort,  ///< all; equal ones as they were if `in_order`, else as std::sort left them
};

/// One launch: the rows of a strided tensor.
///
/// Shapes   dims [0, kept) count rows, outermost first; strides are in elements. A row's results
///          are its values and their places in it.
/// Numerics NaN is larger than all else and equal to itself, and zeros are equal. Values are
/// copied;
///          but a NaN of bfloat16 among the first few is 0x7fc0.
/// Source   ATen/native/TopKImpl.h, ATen/native/cpu/SortingKernel.cpp
struct Ordering {
  static constexpr size_t kMostDims = 6;
  struct Strides {
    int64_t x = 0, values = 0, places = 0;
  };

  OrderingOp op = OrderingOp::kTop;
  DType dtype = DType::kF32;
  bool descending = false;
  bool in_order = true;
  int64_t columns = 0, made = 0;  ///< of a row and of its results; less than 2^31
  Strides along;                  ///< a row
  size_t kept = 0;
  int64_t sizes[kMostDims] = {};
  Strides strides[kMostDims] = {};

  int64_t rows() const;
  /// Pieces that different threads may do, each with scratch of its own.
  int64_t parts() const;
  int64_t scratch_bytes() const;
};

/// `values` or `places` may be null, where they are not wanted.
///
/// Memory  scratch_bytes() of scratch, aligned to 16; x doesn't overlap the results.
void run_ordering(const Ordering& call, const void* x, void* values, int64_t* places, char* scratch,
                  const ParallelFor& parallel);

}  // namespace torchweld::x86
