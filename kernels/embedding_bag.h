// Bags of rows of a table. Not a spec: a bag's length is data. What is asked for is here, and the
// host's kernel; a device's: cuda/embedding_bag.h.
#pragma once

#include <optional>
#include <string>

#include "kernels/dtype.h"
#include "kernels/kernel.h"

namespace torchweld {

enum class BagMode : uint8_t { kSum, kMean, kMax };

/// One call of embedding_bag.
///
/// Shapes  table [rows, columns] with rows `row_stride` elements apart and dense columns; indices
///         [index_count]; offsets [bags], or [bags + 1] with `offsets_end`; weights [index_count],
///         sums only; out [bags, columns], dense.
struct EmbeddingBagShape {
  DType dtype = DType::kF32;  ///< of table, weights and out: floating
  DType index = DType::kI64;  ///< of indices and offsets: i64 or i32
  BagMode mode = BagMode::kSum;
  int64_t rows = 0, columns = 0, row_stride = 0, bags = 0, index_count = 0;
  int64_t padding = -1;      ///< an index that is left out; -1: none
  bool offsets_end = false;  ///< the last offset is where the last bag ends
};

/// Where the operands lie; weights may be null.
struct EmbeddingBagPointers {
  const void *table = nullptr, *indices = nullptr, *offsets = nullptr, *weights = nullptr;
  void* out = nullptr;
};

/// On the host. What is wrong with the indices or offsets, before anything is written; nullopt
/// when nothing is.
///
/// Numerics  sums in the order of the indices, of halves in f32 and rounded once. Of maxima a NaN
///           stays only where it comes first, as in LibTorch.
std::optional<std::string> embedding_bag(const EmbeddingBagShape& shape,
                                         const EmbeddingBagPointers& pointers,
                                         const ParallelFor& parallel);

}  // namespace torchweld
