// The specs that the CUDA skeletons are tested on, written once.
#pragma once

#include <vector>

#include "tests/kernels/cuda/case.h"

namespace torchweld {

/// Floating types, and integers of either compute type.
inline constexpr DType kCaseTypes[] = {DType::kF32, DType::kF16, DType::kBF16, DType::kF64,
                                       DType::kI64, DType::kI32, DType::kU8};

/// Specs without rows: flat, tails, broadcasts, strides, permutations, several results, gathers,
/// predicates, coordinates, scatters.
std::vector<Case> pointwise_cases(DType dtype);

/// Of each skeleton, large enough that the ends of rows do not count, dense and aligned.
std::vector<Case> contiguous_cases(DType dtype);

/// Rows of the cases below: none, one, and some whose ends are no whole vector or warp.
struct RowSize {
  int64_t rows, cols;
};
inline constexpr RowSize kRowSizes[] = {{3, 0},  {0, 5},   {1, 1},   {37, 8},
                                        {7, 33}, {3, 130}, {2, 1025}};

/// Whether a case of rows is run on every skeleton that gives the right answer; those of dtypes
/// that share a compute type with another, and of most sizes, on the one that would be chosen.
inline bool is_run_on_every_skeleton(const Case& c) {
  const DType dtype = c.spec.loads.front().dtype;
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kI64 ||
         c.geometry.sizes.back() == 33;
}

/// Reductions of every kind over rows of these sizes, dense.
Case reductions_case(DType dtype, int64_t rows, int64_t cols, int seed = 2);
/// exp(x - max) / sum; over `dim` 0 of a matrix the rows lie side by side.
Case softmax_case(DType dtype, int64_t rows, int64_t cols, bool over_columns = false, int seed = 2);
/// Mean, variance, then (x - mean) / sqrt(variance + eps) * weight + bias.
Case layer_norm_case(DType dtype, int64_t rows, int64_t cols);
Case running_sum_case(DType dtype, int64_t rows, int64_t cols, bool over_columns = false);
/// Largest of 3x3 windows, stride 2, no padding, over [n, h, w].
Case pooling_case(DType dtype, int64_t n, int64_t height, int64_t width);
/// Sums over the first and last dims of [n, c, l], as batch norm's statistics.
Case channels_case(DType dtype, int64_t n, int64_t channels, int64_t length);

}  // namespace torchweld
