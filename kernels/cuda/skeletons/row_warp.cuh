// Row skeleton, a warp or a part of one a row: softmax, norms and reductions of up to 1024 columns.
// Longer rows: row_block.cuh.
#pragma once

#include "row.cuh"

/// a        count rows of length elements, at most kLanes * kVector * kTiles unless kTiles is 0
/// kLanes   threads a row, a power of two up to 32
/// Grid     ceil(count * kLanes / blockDim) blocks, no shared memory
/// Tail     lanes of rows beyond the last stay with their warp, so every shuffle has all 32 lanes
template <class Body, int kVector, int kLanes, int kTiles>
INLINE void row_warp(const typename Body::Args& a) {
  using Index = typename Body::Args::Index;
  const Index index = static_cast<Index>(blockIdx.x) * (blockDim.x / kLanes) + threadIdx.x / kLanes;
  const bool exists = index < a.count;
  Index at[Body::Args::kRank];
  unravel<0, Body::Args::kRank - Body::kReduced>(a, exists ? index : 0, at);
  WarpGroup<kLanes> group;
  RowWalk<Body, WarpGroup<kLanes>, kVector, kTiles> walk(a, group, at, 0, a.length, exists);
  walk.run();
  if constexpr (Body::kStoresRow) __syncwarp();
  walk.store_row();
}
