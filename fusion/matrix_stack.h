// Operands of attention as stacks of matrices, and their batch dims as the few that its kernel
// walks.
#pragma once

#include <optional>
#include <vector>

#include "loader/graph.h"

namespace torchweld {

using Sizes = std::vector<int64_t>;

/// Matrices of equal shape. Strides in elements; 0 repeats.
struct MatrixStack {
  DType dtype = DType::kOther;
  StorageId storage = kNone;
  int64_t offset = 0;
  Sizes batch, batch_strides;
  int64_t rows = 0, columns = 0, row_stride = 0, column_stride = 0;

  void transpose() {
    std::swap(rows, columns);
    std::swap(row_stride, column_stride);
  }
};

/// `v` broadcast to `sizes`, of which the last two are the matrix; nullopt when it doesn't fit.
std::optional<MatrixStack> stack_of(const Value& v, const Sizes& sizes);

/// The sizes of the fewest dims of which those of every list are products of neighbours; nullopt
/// when there are none. All lists have the same product.
std::optional<Sizes> common_refinement(const std::vector<Sizes>& lists);

/// The batch dims split into `refined`.
void refine(MatrixStack* stack, const Sizes& refined);

/// Drops batch dims of size 1 and merges neighbours that are one walk in every stack. They have the
/// same batch sizes.
void merge_batch(const std::vector<MatrixStack*>& stacks);

}  // namespace torchweld
