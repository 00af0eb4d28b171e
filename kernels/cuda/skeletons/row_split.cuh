// Row skeleton for few and very long rows: several blocks a row, one launch a phase. Launches are
// the barrier between blocks; each starts by merging the partial results of those before it.
#pragma once

#include "row.cuh"

/// The partial results of a chunk of a row, in slots a.chunks apart.
template <class Body>
INLINE unsigned char* partials(const typename Body::Args& a, int phase, i64 row, i64 chunk) {
  const i64 slot =
      ((phase * static_cast<i64>(a.count) + row) * Body::kReductions) * a.chunks + chunk;
  return static_cast<unsigned char*>(a.workspace) + slot * kSlot;
}

/// Values of the row that phases before kPhase reduced.
template <class Body, int kDone, int kPhase, class Walk, class Group>
INLINE void catch_up(const typename Body::Args& a, i64 row, Walk& walk, Group& group) {
  if constexpr (kDone < kPhase) {
    walk.template prepare<kDone>();
    typename Body::Reductions acc{};
    for (int chunk = threadIdx.x; chunk < a.chunks; chunk += Group::kSize)
      Body::template each_reduction<kDone>(
          acc, MergeReductions{partials<Body>(a, kDone, row, chunk), a.chunks * i64{kSlot}});
    group.template reduce<kDone, Body>(acc);
    Body::template finish<kDone>(acc, walk.row);
    catch_up<Body, kDone + 1, kPhase>(a, row, walk, group);
  }
}

/// One phase.
///
/// a          count rows of length elements, in chunks of `chunk`, a multiple of kVector
/// workspace  slots [kPhases, count, kReductions, chunks]
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
    Body::template each_reduction<kPhase>(
        acc, PutReductions{partials<Body>(a, kPhase, row, blockIdx.x), a.chunks * i64{kSlot}});
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
