// The walk over one row in phases, whoever shares it: softmax is its maximum, its sum, its
// quotients. The kernels are in row_thread.cuh, row_warp.cuh, row_block.cuh, row_columns.cuh,
// row_split.cuh.
#pragma once

#include "atomics.cuh"
#include "groups.cuh"
#include "places.cuh"
#include "vector.cuh"

/// Whether a phase reads a load that the phases of `mask` need: each of them where a row is read
/// again, the first of them where it is kept.
__device__ constexpr bool loads_now(unsigned mask, int phase, bool keeps) {
  const unsigned now = 1u << phase;
  return keeps ? (mask & (~mask + 1)) == now : (mask & now) != 0;
}

/// One thread's part of one row.
///
/// kVector  consecutive elements taken at once
/// kTiles   vectors that the thread keeps in registers between phases, so that DRAM is read once;
///          0: a row of any length, read again in each phase that needs it
/// begin    the first element of the row that the group takes; stop: one past its last
/// exists   false for lanes beyond the last row: they take part in shuffles, and touch no memory
template <class Body, class Group, int kVector, int kTiles>
struct RowWalk {
  using Args = typename Body::Args;
  using Index = typename Args::Index;
  static constexpr bool kKeeps = kTiles > 0;
  static constexpr int kStep = Group::kSize * kVector;

  const Args& a;
  Group& group;
  Index (&at)[Args::kRank];
  Index begin, stop;
  Index end;  // one past the last that memory holds for this thread: begin where no row exists
  bool exists;
  typename Body::Offsets row_offsets;
  typename Body::Row row;
  typename Body::template Loaded<kVector> kept[kKeeps ? kTiles : 1];

  INLINE RowWalk(const Args& arguments, Group& who, Index (&place)[Args::kRank], Index from,
                 Index to, bool row_exists)
      : a(arguments),
        group(who),
        at(place),
        begin(from),
        stop(to),
        end(row_exists ? to : from),
        exists(row_exists) {
#pragma unroll
    for (int d = Args::kRank - Body::kReduced; d < Args::kRank; ++d) at[d] = 0;
    row_offsets = Body::offsets(a, at);
  }

  /// One vector of the row.
  template <int kPhase, bool kStores>
  INLINE void tile(Index first, typename Body::template Loaded<kVector>& x,
                   typename Body::Running& running, typename Body::Reductions& acc) {
    const Index left = end - first;
    const bool whole = left >= kVector && a.aligned;
    const int valid = left >= kVector ? kVector : left > 0 ? static_cast<int>(left) : 0;
    unravel<Args::kRank - Body::kReduced, Args::kRank>(a, first, at);
    const typename Body::Offsets o = Body::offsets(a, at);
    Body::template load<kPhase, kKeeps>(a, o, valid, whole, x);
    typename Body::template Stored<kVector> y;
#pragma unroll
    for (int k = 0; k < kVector; ++k)
      Body::template element<kPhase>(a, at, o, k, k < valid, static_cast<i64>(first) + k, x, row,
                                     group, running, acc, y);
    if constexpr (kStores) Body::store(a, o, valid, whole, y);
  }

  /// All of the group's part of the row, for one phase; its reductions are not merged yet.
  template <int kPhase>
  INLINE typename Body::Reductions pass() {
    constexpr bool kStores = kPhase + 1 == Body::kPhases;
    typename Body::Reductions acc{};
    typename Body::Running running{};
    const Index mine = begin + static_cast<Index>(group.rank()) * kVector;
    if constexpr (kKeeps) {
#pragma unroll
      for (int t = 0; t < kTiles; ++t)
        tile<kPhase, kStores>(mine + t * kStep, kept[t], running, acc);
    } else {
      // The bound is the group's, not the thread's: running sums need every member in every step.
      for (Index step = begin; step < stop; step += kStep)
        tile<kPhase, kStores>(mine + (step - begin), kept[0], running, acc);
    }
    return acc;
  }

  /// Row values of a phase, before its pass. Rows that don't exist have none to read.
  template <int kPhase>
  INLINE void prepare() {
    if (exists) Body::template row_values<kPhase>(a, at, row_offsets, row);
  }

  template <int kPhase = 0>
  INLINE void run() {
    prepare<kPhase>();
    typename Body::Reductions acc = pass<kPhase>();
    group.template reduce<kPhase, Body>(acc);
    Body::template finish<kPhase>(acc, row);
    if constexpr (kPhase + 1 < Body::kPhases) run<kPhase + 1>();
  }

  /// After the last phase: what is stored once a row, by the one thread that still reads for it:
  /// that may be where it is stored. The others have read what they need.
  INLINE void store_row() {
    if constexpr (Body::kStoresRow) {
      if (!exists || group.rank() != 0) return;
      prepare<Body::kPhases>();
      Body::store_row(a, row_offsets, row);
    }
  }
};
