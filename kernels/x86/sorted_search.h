// Where values belong in rows that are in order, by hand and of any type: searchsorted, bucketize.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/kernel.h"

namespace torchweld::x86 {

/// One launch: each value's place among its row's bounds.
///
/// Shapes   [0, dims) count the values, outermost first; strides are in elements, and those of the
///          bounds say which row is a value's. There is at least one dim.
/// Numerics as LibTorch, whose halving is followed where the bounds aren't in order or hold NaN.
/// Source   ATen/native/Bucketization.cpp
struct SortedSearch {
  static constexpr size_t kMostDims = 6;

  DType dtype = DType::kF32;  ///< of values and bounds
  bool right = false;         ///< after the bounds that equal the value, otherwise before them
  bool narrow = false;        ///< places are int32, otherwise int64
  int64_t bounds = 0, bound_step = 1;  ///< of a row
  size_t dims = 0;
  int64_t sizes[kMostDims] = {};
  int64_t value_strides[kMostDims] = {}, row_strides[kMostDims] = {}, place_strides[kMostDims] = {};

  int64_t values() const;
};

void run_sorted_search(const SortedSearch& call, const void* bounds, const void* values,
                       void* places, const ParallelFor& parallel);

}  // namespace torchweld::x86
