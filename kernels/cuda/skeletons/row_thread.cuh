// Row skeleton, one thread a row: pooling windows and other short rows, and rows that lie side by
// side in memory, where neighbouring threads read neighbouring elements.
#pragma once

#include "row.cuh"

/// a      count rows of length elements
/// Grid   ceil(count / blockDim) blocks, no shared memory
template <class Body, int kVector>
INLINE void row_thread(const typename Body::Args& a) {
  using Index = typename Body::Args::Index;
  const Index index = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (index >= a.count) return;
  Index at[Body::Args::kRank];
  unravel<0, Body::Args::kRank - Body::kReduced>(a, index, at);
  ThreadGroup group;
  RowWalk<Body, ThreadGroup, kVector, 0> walk(a, group, at, 0, a.length, true);
  walk.run();
  walk.store_row();
}
