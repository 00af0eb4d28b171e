// Pointwise skeleton: one vector of consecutive elements a thread, over a domain of 1 to 6 dims.
// The group's own arithmetic arrives as Body; nothing here knows what it computes.
#pragma once

#include "atomics.cuh"
#include "places.cuh"
#include "primitives.cuh"
#include "vector.cuh"

constexpr int kPointwiseThreads = 256;

/// Loads a vector of every operand, applies Body to each of its elements, stores.
///
/// a        count vectors, length of them in each innermost row
/// Grid     ceil(count / kPointwiseThreads) blocks, no shared memory
/// Tail     the last vector of an innermost row goes element by element, through the same body
/// Aliasing a store may be a load of equal strides: a thread loads all its elements before it
/// stores
template <class Body, int kVector>
INLINE void pointwise(const typename Body::Args& a) {
  using Index = typename Body::Args::Index;
  constexpr int kLast = Body::Args::kRank - 1;
  const Index vector = static_cast<Index>(blockIdx.x) * kPointwiseThreads + threadIdx.x;
  if (vector >= a.count) return;

  Index at[kLast + 1];
  if constexpr (kLast == 0) {
    at[0] = vector * kVector;
  } else {
    const Index row = a.divisors[kLast].divide(vector);
    unravel<0, kLast>(a, row, at);
    at[kLast] = (vector - row * a.length) * kVector;
  }
  const Index left = a.sizes[kLast] - at[kLast];
  const bool whole = left >= kVector;
  const int valid = whole ? kVector : static_cast<int>(left);

  const typename Body::Offsets offsets = Body::offsets(a, at);
  typename Body::template Loaded<kVector> x;
  typename Body::template Stored<kVector> y;
  Body::load(a, offsets, valid, whole, x);
#pragma unroll
  for (int k = 0; k < kVector; ++k) Body::element(a, at, offsets, k, k < valid, x, y);
  Body::store(a, offsets, valid, whole, y);
}
