// A kernel's arguments, and how a flat index becomes coordinates of the domain.
// The host packs the same layout: arguments.cpp.
#pragma once

#include "half.cuh"

/// Division by a number that is known before the launch.
template <class Index>
struct Divisor;

/// A high product and a shift instead of some twenty instructions; exact for 0 <= n < 2^31.
/// Source   Granlund and Montgomery, "Division by invariant integers using multiplication", 1994.
template <>
struct Divisor<i32> {
  unsigned factor, shift;
  INLINE i32 divide(i32 n) const {
    const auto u = static_cast<unsigned>(n);
    return static_cast<i32>((__umulhi(u, factor) + u) >> shift);
  }
};

template <>
struct Divisor<i64> {
  i64 divisor;
  INLINE i64 divide(i64 n) const {
    return static_cast<i64>(static_cast<unsigned long long>(n) /
                            static_cast<unsigned long long>(divisor));
  }
};

/// pointers   first elements, loads first, then stores
/// count      what the grid runs over: vectors of a pointwise kernel, rows of another
/// length     vectors of an innermost row of a pointwise kernel, elements of a row of another
/// chunk      elements of a row that one block of a split row takes
/// aligned    whether every vector of every operand starts at a multiple of its own size
/// strides    elements
template <class IndexType, int kDims, int kOperands, int kParams>
struct Arguments {
  using Index = IndexType;
  static constexpr int kRank = kDims;

  void* pointers[kOperands];
  i64 params[kParams > 0 ? kParams : 1];
  void* workspace;
  i64 aligned;
  Index count, length, chunk, chunks;
  Index sizes[kDims];
  Index strides[kOperands][kDims];
  Divisor<Index> divisors[kDims];
};

/// Coordinates of dims [kFirst, kEnd) from their row-major index.
template <int kFirst, int kEnd, class Args>
INLINE void unravel(const Args& a, typename Args::Index linear,
                    typename Args::Index (&at)[Args::kRank]) {
#pragma unroll
  for (int d = kEnd - 1; d > kFirst; --d) {
    const typename Args::Index outer = a.divisors[d].divide(linear);
    at[d] = linear - outer * a.sizes[d];
    linear = outer;
  }
  at[kFirst] = linear;
}
