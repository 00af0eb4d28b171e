// Row skeleton for rows that lie side by side: sums over the first dim of a matrix, batch norm's
// statistics. A warp takes 32 neighbouring rows, so that each of its loads is one line of memory.
#pragma once

#include "row.cuh"

/// a         count rows of length elements
/// kLines    threads a row; each takes every kLines-th element
/// Grid      ceil(count / 32) blocks of 32 * kLines threads
template <class Body, int kLines>
INLINE void row_columns(const typename Body::Args& a) {
  using Index = typename Body::Args::Index;
  using Group = ColumnGroup<Body, kLines>;
  __shared__ typename Group::Shared shared;
  const Index index = static_cast<Index>(blockIdx.x) * kWarp + threadIdx.x % kWarp;
  const bool exists = index < a.count;
  Index at[Body::Args::kRank];
  unravel<0, Body::Args::kRank - Body::kReduced>(a, exists ? index : 0, at);
  Group group{shared};
  RowWalk<Body, Group, 1, 0> walk(a, group, at, 0, a.length, exists);
  walk.run();
  __syncthreads();
  walk.store_row();
}
