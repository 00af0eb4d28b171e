// Bags of rows of a table: their sum, mean or maximum. A block takes one bag, its threads the
// columns, so that each row of the table is read as whole lines.
#pragma once

#include "primitives.cuh"
#include "vector.cuh"

enum BagMode { kBagSum = 0, kBagMean = 1, kBagMax = 2 };

/// table     [table_rows, columns], rows row_stride elements apart
/// indices   [index_count]; offsets [bags] or more: where each bag begins; a bag ends where the
///           next one begins, the last at `index_count` unless offsets_end
/// weights   [index_count] factors of a sum, or null
/// out       [bags, columns], dense
/// padding   the index that is left out; -1: none
/// rows      of the table; indices that name none of them are left out too, and offsets outside of
///           the indices mean their ends: nothing is read out of bounds, whatever the data
/// The host packs the same layout: embedding_bag.cpp.
struct EmbeddingBagArguments {
  const void *table, *indices, *offsets, *weights;
  void* out;
  i64 rows, row_stride, columns, bags, index_count, padding;
  i32 offsets_end, aligned;
};

/// Grid   bags x ceil(columns / (kVector * blockDim)) blocks
/// Bags   an empty one, or one of padding alone, is 0 in every mode
template <class T, class IndexType, int kMode, int kVector>
INLINE void embedding_bag(const EmbeddingBagArguments& a) {
  const i64 bag = blockIdx.x;
  const i64 column = (static_cast<i64>(blockIdx.y) * blockDim.x + threadIdx.x) * kVector;
  if (column >= a.columns) return;
  const auto* const indices = static_cast<const IndexType*>(a.indices);
  const auto* const offsets = static_cast<const IndexType*>(a.offsets);
  const i64 first = offsets[bag];
  const i64 begin = first < 0 ? 0 : first;
  const bool has_next = a.offsets_end || bag + 1 < a.bags;
  const i64 next = has_next ? static_cast<i64>(offsets[bag + 1]) : a.index_count;
  const i64 end = next < a.index_count ? next : a.index_count;
  const i64 left = a.columns - column;
  const int valid = left < kVector ? static_cast<int>(left) : kVector;
  const bool whole = valid == kVector && a.aligned;

  Compute<T> y[kVector];
#pragma unroll
  for (int k = 0; k < kVector; ++k) y[k] = 0;
  i64 count = 0;
  for (i64 i = begin; i < end; ++i) {
    const i64 row = indices[i];
    if (row == a.padding || row < 0 || row >= a.rows) continue;
    Compute<T> x[kVector];
    load_unit<T>(a.table, row * a.row_stride + column, valid, whole, x);
    const Compute<T> weight =
        a.weights == nullptr ? Compute<T>(1) : widen(static_cast<const T*>(a.weights)[i]);
#pragma unroll
    for (int k = 0; k < kVector; ++k) {
      if constexpr (kMode == kBagMax) {
        // As in LibTorch, only a NaN that comes first stays.
        y[k] = count == 0 || x[k] > y[k] ? x[k] : y[k];
      } else {
        y[k] = prim::fma(x[k], weight, y[k]);
      }
    }
    ++count;
  }
  if (kMode == kBagMean && count > 0) {
#pragma unroll
    for (int k = 0; k < kVector; ++k) y[k] /= static_cast<Compute<T>>(count);
  }
  store_unit<T>(a.out, bag * a.columns + column, valid, whole, y);
}
