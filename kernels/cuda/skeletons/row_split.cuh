// Row skeleton for few and very long rows: several blocks a row, one launch a phase. Launches are
// the barrier between blocks; each starts by merging the partial results of those before it.
#pragma once

#include "row.cuh"

/// The partial results of one phase, by row and chunk.
template <class Body>
INLINE typename Body::Reductions* partials(const typename Body::Args& a, int phase) {
  auto* const first = static_cast<typename Body::Reductions*>(a.workspace);
  return first + static_cast<i64>(phase) * a.count * a.chunks;
}

/// Values of the row that phases before kPhase reduced.
template <class Body, int kDone, int kPhase, class Walk, class Group>
INLINE void catch_up(const typename Body::Args& a, i64 row, Walk& walk, Group& group) {
  if constexpr (kDone < kPhase) {
    walk.template prepare<kDone>();
    typename Body::Reductions acc{};
    const typename Body::Reductions* const parts = partials<Body>(a, kDone) + row * a.chunks;
    for (int chunk = threadIdx.x; chunk < a.chunks; chunk += Group::kSize) {
      Body::template merge<kDone>(acc, parts[chunk]);
    }
    group.template reduce<kDone, Body>(acc);
    Body::template finish<kDone>(acc, walk.row);
    catch_up<Body, kDone + 1, kPhase>(a, row, walk, group);
  }
}

/// One phase.
///
/// a          count rows of length elements, in chunks of `chunk`, a multiple of kVector
/// workspace  Reductions [kPhases, count, chunks]
/// Grid       chunks x count blocks of kThreads
template <class Body, int kVector, int kThreads, int kPhase>
INLINE void row_split(const typename Body::Args& a) {
  using Index = typename Body::Args::Index;
  using Group = BlockGroup<Body, kThreads>;
  __shared__ typename Group::Shared shared;
  const Index row = static_cast<Index>(blockIdx.y);
  Index at[Body::Args::kRank];
  unravel<0, Body::Args::kRank - Body::kReduced>(a, row, at);
  const Index begin = static_cast<Index>(blockIdx.x) * a.chunk;
  const Index end = begin + a.chunk < a.length ? begin + a.chunk : a.length;
  Group group{shared};
  RowWalk<Body, Group, kVector, 0> walk(a, group, at, begin, end, true);
  catch_up<Body, 0, kPhase>(a, row, walk, group);
  walk.template prepare<kPhase>();
  typename Body::Reductions acc = walk.template pass<kPhase>();
  group.template reduce<kPhase, Body>(acc);
  if (threadIdx.x == 0)
    partials<Body>(a, kPhase)[static_cast<i64>(row) * a.chunks + blockIdx.x] = acc;
}

/// What is stored once a row. Grid: 1 x count blocks of kThreads.
template <class Body, int kThreads>
INLINE void row_split_finish(const typename Body::Args& a) {
  using Index = typename Body::Args::Index;
  using Group = BlockGroup<Body, kThreads>;
  __shared__ typename Group::Shared shared;
  const Index row = static_cast<Index>(blockIdx.y);
  Index at[Body::Args::kRank];
  unravel<0, Body::Args::kRank - Body::kReduced>(a, row, at);
  Group group{shared};
  RowWalk<Body, Group, 1, 0> walk(a, group, at, 0, 0, true);
  catch_up<Body, 0, Body::kPhases>(a, row, walk, group);
  walk.store_row();
}
