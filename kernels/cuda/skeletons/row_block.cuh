// Row skeleton, a block a row: rows of more than 1024 columns. Few and very long ones:
// row_split.cuh.
#pragma once

#include "row.cuh"

/// a         count rows of length elements, at most kThreads * kVector * kTiles unless kTiles is 0
/// Grid      count blocks of kThreads
/// Aliasing  a thread stores only elements that it alone reads; values of the row are stored after
/// a
///           barrier, when every thread has read what they may replace
template <class Body, int kVector, int kThreads, int kTiles>
INLINE void row_block(const typename Body::Args& a) {
  using Index = typename Body::Args::Index;
  using Group = BlockGroup<Body, kThreads>;
  __shared__ typename Group::Shared shared;
  Index at[Body::Args::kRank];
  unravel<0, Body::Args::kRank - Body::kReduced>(a, static_cast<Index>(blockIdx.x), at);
  Group group{shared};
  RowWalk<Body, Group, kVector, kTiles> walk(a, group, at, 0, a.length, true);
  walk.run();
  __syncthreads();
  walk.store_row();
}
