// The threads that share a row: who takes which element, how they reduce and how they scan.
//
// rank, size   this thread's place among them, and how many there are
// reduce       merges the group's Reductions of one phase; every member gets the result
// running_sum  the sum up to and with this member's value, over all members before and all earlier
//              calls; `carry` is the earlier calls' sum. Every member calls, in one converged
//              place.
#pragma once

#include "reductions.cuh"

constexpr int kWarp = 32;

template <class T>
INLINE T lane_below(T value, int distance, int width) {
  return __shfl_up_sync(kAllLanes, value, distance, width);
}
template <class T>
INLINE T lane_at(T value, int lane, int width) {
  return __shfl_sync(kAllLanes, value, lane, width);
}

/// The sum of `value` over this lane and those below it, among kLanes neighbours.
template <int kLanes, class T>
INLINE T sum_up_to(T value, int lane) {
#pragma unroll
  for (int distance = 1; distance < kLanes; distance *= 2) {
    const T below = lane_below(value, distance, kLanes);
    if (lane >= distance) value = prim::add(value, below);
  }
  return value;
}

/// A butterfly: after log2(kLanes) exchanges every lane has merged all of them.
template <int kLanes>
struct MergeLanes {
  template <class Reduction>
  INLINE void operator()(Reduction& r) const {
#pragma unroll
    for (int mask = kLanes / 2; mask > 0; mask /= 2) r.merge(r.from_lane(mask));
  }
};

/// One thread.
struct ThreadGroup {
  static constexpr int kSize = 1;
  INLINE int rank() const { return 0; }
  template <int kPhase, class Body>
  INLINE void reduce(typename Body::Reductions&) {}
  template <class T>
  INLINE T running_sum(T value, T& carry) {
    return carry = prim::add(carry, value);
  }
};

/// kLanes neighbours of a warp, 1 to 32, a power of two. All lanes of the warp come along, those of
/// rows that don't exist too, so every shuffle names the whole warp.
template <int kLanes>
struct WarpGroup {
  static constexpr int kSize = kLanes;
  INLINE int rank() const { return threadIdx.x % kLanes; }
  template <int kPhase, class Body>
  INLINE void reduce(typename Body::Reductions& acc) {
    Body::template each_reduction<kPhase>(acc, MergeLanes<kLanes>());
  }
  template <class T>
  INLINE T running_sum(T value, T& carry) {
    const T sum = prim::add(sum_up_to<kLanes>(value, rank()), carry);
    carry = lane_at(sum, kLanes - 1, kLanes);
    return sum;
  }
};

/// A block of kThreads.
template <class Body, int kThreads>
struct BlockGroup {
  static constexpr int kSize = kThreads;
  static constexpr int kWarps = kThreads / kWarp;
  // Bytes: what has a constructor may not be declared in shared memory.
  struct Shared {
    alignas(kSlot) unsigned char partial[Body::kReductions * kWarps * kSlot];
    i64 totals[kWarps];  // of any type a running sum has
  };
  Shared& shared;

  INLINE int rank() const { return threadIdx.x; }

  template <int kPhase, class>
  INLINE void reduce(typename Body::Reductions& acc) {
    WarpGroup<kWarp> warp;
    warp.template reduce<kPhase, Body>(acc);
    constexpr int kStride = kWarps * kSlot;
    const int lane = threadIdx.x % kWarp;
    __syncthreads();  // the previous phase's results have been read
    if (lane == 0) {
      unsigned char* const mine = shared.partial + threadIdx.x / kWarp * kSlot;
      Body::template each_reduction<kPhase>(acc, PutReductions{mine, kStride});
    }
    __syncthreads();
    // Every warp reduces the few partial results itself: that saves a broadcast and its barrier.
    acc = typename Body::Reductions{};
    if (lane < kWarps)
      Body::template each_reduction<kPhase>(
          acc, MergeReductions{shared.partial + lane * kSlot, kStride});
    warp.template reduce<kPhase, Body>(acc);
  }

  template <class T>
  INLINE T running_sum(T value, T& carry) {
    T* const totals = reinterpret_cast<T*>(shared.totals);
    const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
    const T sum = sum_up_to<kWarp>(value, lane);
    __syncthreads();  // the previous call's totals have been read
    if (lane == kWarp - 1) totals[warp] = sum;
    __syncthreads();
    const T before = sum_up_to<kWarp>(lane < kWarps ? totals[lane] : T(0), lane);
    const T mine = warp == 0 ? T(0) : lane_at(before, warp - 1, kWarp);
    const T result = prim::add(prim::add(sum, mine), carry);
    carry = prim::add(carry, lane_at(before, kWarps - 1, kWarp));
    return result;
  }
};

/// Merges the results of the kLines threads below one another, one reduction after the other: laid
/// side by side, neighbouring threads' results lie in neighbouring banks.
template <int kLines>
struct MergeLines {
  unsigned char* bytes;
  template <class Reduction>
  INLINE void operator()(Reduction& r) const {
    auto* const partial = reinterpret_cast<Reduction*>(bytes);
    const int column = threadIdx.x % kWarp;
    __syncthreads();  // the previous reduction's results have been read
    partial[threadIdx.x] = r;
    __syncthreads();
    r = partial[column];
#pragma unroll
    for (int line = 1; line < kLines; ++line) r.merge(partial[line * kWarp + column]);
  }
};

/// The kLines threads of a block that stand below one another, one line of kWarp threads each: a
/// warp's lanes take neighbouring rows, which lie side by side in memory.
template <class Body, int kLines>
struct ColumnGroup {
  static constexpr int kSize = kLines;
  struct Shared {
    alignas(kSlot) unsigned char partial[kLines * kWarp * kSlot];
  };
  Shared& shared;

  INLINE int rank() const { return threadIdx.x / kWarp; }

  template <int kPhase, class>
  INLINE void reduce(typename Body::Reductions& acc) {
    Body::template each_reduction<kPhase>(acc, MergeLines<kLines>{shared.partial});
  }
  /// Never asked: rows with running sums go to other groups.
  template <class T>
  INLINE T running_sum(T value, T&) {
    return value;
  }
};
