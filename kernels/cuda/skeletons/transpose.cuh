// Pointwise skeleton for permuted reads: loads that are contiguous along another dim than the store
// go through a tile of shared memory, so that both sides touch whole lines of DRAM.
#pragma once

#include "atomics.cuh"
#include "places.cuh"
#include "primitives.cuh"
#include "vector.cuh"

constexpr int kTile = 32;
constexpr int kTileLines = 8;  // threads are kTile x kTileLines: four elements each

/// A line of a tile, with as much more as puts a column of it into 32 different banks: one word.
template <class T>
constexpr int kTileLine = kTile + (sizeof(T) < 4 ? 4 / sizeof(T) : 1);

/// Coordinates of a tile's block in the dims that are neither the innermost nor kAcross.
template <int kAcross, class Args>
INLINE void place_block(const Args& a, typename Args::Index outer,
                        typename Args::Index (&at)[Args::kRank]) {
#pragma unroll
  for (int d = Args::kRank - 2; d >= 0; --d) {
    if (d == kAcross) continue;
    const typename Args::Index next = a.divisors[d].divide(outer);
    at[d] = outer - next * a.sizes[d];
    outer = next;
  }
}

/// a        length tiles along the innermost dim, chunks of them along kAcross
/// Grid     one block of 256 threads a tile
template <class Body, int kAcross>
INLINE void transpose(const typename Body::Args& a) {
  using Index = typename Body::Args::Index;
  constexpr int kLast = Body::Args::kRank - 1;
  __shared__ typename Body::Tiles tiles;
  const int column = threadIdx.x % kTile, first_line = threadIdx.x / kTile;
  const Index block = static_cast<Index>(blockIdx.x);
  const Index beside = block / a.length;
  const Index along = (block - beside * a.length) * kTile;
  const Index outer = beside / a.chunks;
  const Index across = (beside - outer * a.chunks) * kTile;
  Index at[kLast + 1];
  place_block<kAcross>(a, outer, at);

  at[kAcross] = across + column;
#pragma unroll
  for (int step = 0; step < kTile; step += kTileLines) {
    const int line = first_line + step;
    at[kLast] = along + line;
    if (at[kAcross] < a.sizes[kAcross] && at[kLast] < a.sizes[kLast])
      Body::fill(a, Body::offsets(a, at), line, column, tiles);
  }
  __syncthreads();
  at[kLast] = along + column;
#pragma unroll
  for (int step = 0; step < kTile; step += kTileLines) {
    const int line = first_line + step;
    at[kAcross] = across + line;
    if (at[kAcross] >= a.sizes[kAcross] || at[kLast] >= a.sizes[kLast]) continue;
    const typename Body::Offsets o = Body::offsets(a, at);
    typename Body::template Loaded<1> x;
    typename Body::template Stored<1> y;
    Body::load(a, o, 1, true, x);
    Body::take(tiles, column, line, x);
    Body::element(a, at, o, 0, true, x, y);
    Body::store(a, o, 1, true, y);
  }
}
