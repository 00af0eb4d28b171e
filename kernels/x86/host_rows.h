// Rows by hand, of any type: what generated code doesn't reduce. Integers, truth, places of
// extremes, running sums and products.
// What it is not: rows of floats that are summed or whose extremes are wanted (row_reductions.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/kernel.h"

namespace torchweld::x86 {

enum class RowsOp : uint8_t {
  kSum,      ///< of integers and bools, as i64, which wraps
  kProduct,  ///< likewise
  kLargest,  ///< and its place
  kSmallest,
  kAny,
  kAll,
  kRunningSum,  ///< of floats in their own type, of others in i64
  kRunningProduct,
};

constexpr bool is_running(RowsOp op) {
  return op == RowsOp::kRunningSum || op == RowsOp::kRunningProduct;
}

/// One launch: the rows of a strided tensor.
///
/// Shapes   dims [0, kept) count rows and [kept, dims) are one row, outermost first; a place counts
///          a row's elements in that order. There is at least one of each, and running sums have
///          one dim a row.
/// Numerics as ATen on a host: of equal extremes the first one's place; a NaN is an extreme, and
///          the first one's place is it. Running sums and products of halves are computed in f32,
///          those of f32 in f64, in the order of the row.
struct HostRows {
  static constexpr size_t kMostDims = 6;
  RowsOp op = RowsOp::kSum;
  DType in = DType::kF32;
  size_t kept = 1, dims = 2;
  int64_t sizes[kMostDims] = {};
  int64_t x[kMostDims] = {}, values[kMostDims] = {}, places[kMostDims] = {};  ///< strides

  int64_t rows() const;
  int64_t columns() const;
};

/// What the values are.
DType type_of_values(RowsOp op, DType in);

/// `values` or `places` (i64) may be null, where they are not wanted.
void run_host_rows(const HostRows& call, const void* x, void* values, int64_t* places,
                   const ParallelFor& parallel);

/// What run_host_rows does for rows [begin, end). Need AVX2.
void reduce_rows(const HostRows& call, const void* x, void* values, int64_t* places, int64_t begin,
                 int64_t end);
void sum_along_rows(const HostRows& call, const void* x, void* values, int64_t begin, int64_t end);

}  // namespace torchweld::x86
