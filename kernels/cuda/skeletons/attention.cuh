// Attention with an online softmax: softmax(q k' * scale + mask) v without the matrix of scores.
// Source   Milakov and Gimelshein, arXiv:1805.02867; the tiling is that of Dao et al.,
//          arXiv:2205.14135. Products are fused multiply-adds in f32; tensor cores are not used.
#pragma once

#include "vector.cuh"

enum MaskKind { kNoMask = 0, kBoolMask = 1, kAddedMask = 2 };

/// strides  elements: batch, head, row; the mask's also column. 0 broadcasts.
/// aligned  whether every row of q, k and v starts at a multiple of four elements
/// mask_keeps  of a bool mask: the value that keeps a score; others become masked_score
/// empty_row  the result of a query whose scores are all -inf
/// The host packs the same layout: attention.cpp.
struct AttentionArguments {
  const void *q, *k, *v, *mask;
  void* out;
  i64 q_strides[3], k_strides[3], v_strides[3], out_strides[3], mask_strides[4];
  i32 heads, heads_per_kv, queries, keys, query_tiles, aligned, mask_keeps;
  f32 scale, masked_score, empty_row;
};

constexpr int kAttentionThreads = 128;
constexpr int kKeys = 32;    // keys a tile
constexpr int kColumns = 8;  // threads that share a query
constexpr int kLines = 16;   // threads below one another: queries are kLines apart
constexpr int kPart = 4;     // elements of a 16-byte access to shared memory

/// A tile of rows as f32 in shared memory: tile[kRows][kHead + kPart], zero beyond `rows`.
template <class T, int kHead, int kRows>
INLINE void load_tile(const void* base, i64 row_stride, int rows, bool aligned, f32* tile) {
  constexpr int kVectors = kHead / kPart;
  for (int i = threadIdx.x; i < kRows * kVectors; i += kAttentionThreads) {
    const int row = i / kVectors, column = i % kVectors * kPart;
    f32 x[kPart];
    const int valid = row < rows ? kPart : 0;
    load_unit<T>(base, row * row_stride + column, valid, valid > 0 && aligned, x);
    *reinterpret_cast<float4*>(tile + row * (kHead + kPart) + column) =
        make_float4(x[0], x[1], x[2], x[3]);
  }
}

INLINE float4 part_of(const f32* address) { return *reinterpret_cast<const float4*>(address); }

/// What is added to a score, or what it is replaced by where the mask says no.
template <class MaskType, int kMask>
INLINE f32 masked(const AttentionArguments& a, i64 mask_base, int query, int key, f32 score) {
  if constexpr (kMask == kNoMask) return score;
  const i64 at = mask_base + query * a.mask_strides[2] + key * a.mask_strides[3];
  const auto value = widen(static_cast<const MaskType*>(a.mask)[at]);
  if constexpr (kMask == kBoolMask)
    return (value != 0) == (a.mask_keeps != 0) ? score : a.masked_score;
  return score + static_cast<f32>(value);
}

/// Over the threads that share a query: neighbouring lanes.
template <class Merge>
INLINE f32 over_columns(f32 value, Merge merge) {
#pragma unroll
  for (int mask = kColumns / 2; mask > 0; mask /= 2)
    value = merge(value, __shfl_xor_sync(kAllLanes, value, mask));
  return value;
}
struct Larger {
  INLINE f32 operator()(f32 a, f32 b) const { return fmaxf(a, b); }
};
struct Plus {
  INLINE f32 operator()(f32 a, f32 b) const { return a + b; }
};

/// One thread's part: kRows queries, kLines apart, and the columns 4 * (column + 8 j) of the
/// result.
template <class T, class MaskType, int kMask, bool kCausal, int kHead, int kRows>
struct AttentionTile {
  static constexpr int kQueries = kRows * kLines;
  static constexpr int kLine = kHead + kPart;  // a quarter warp's 16-byte reads hit every bank once
  static constexpr int kScoreLine = kKeys + 8;  // likewise for four lines of eight scores
  static constexpr int kParts = (kHead / kPart + kColumns - 1) / kColumns;
  struct Shared {
    alignas(16) f32 q[kQueries * kLine];
    alignas(16) f32 kv[kKeys * kLine];
    alignas(16) f32 score[kQueries * kScoreLine];
  };
  const AttentionArguments& a;
  Shared& shared;
  int first_query;
  i64 mask_base;
  int column = threadIdx.x % kColumns, line = threadIdx.x / kColumns;
  f32 largest[kRows], sum[kRows];
  f32 result[kRows][kParts][kPart];

  INLINE void begin() {
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      largest[r] = -infinity();
      sum[r] = 0;
#pragma unroll
      for (int j = 0; j < kParts; ++j) {
#pragma unroll
        for (int e = 0; e < kPart; ++e) result[r][j][e] = 0;
      }
    }
  }

  /// q k' of kRows queries and the keys column + 8 j of the tile.
  INLINE void dot(f32 (&score)[kRows][kKeys / kColumns]) {
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
#pragma unroll
      for (int j = 0; j < kKeys / kColumns; ++j) score[r][j] = 0;
    }
    // Four at a time: more would need more registers than the compiler can keep.
#pragma unroll 4
    for (int d = 0; d < kHead; d += kPart) {
      float4 k[kKeys / kColumns];
#pragma unroll
      for (int j = 0; j < kKeys / kColumns; ++j)
        k[j] = part_of(shared.kv + (column + kColumns * j) * kLine + d);
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        const float4 q = part_of(shared.q + (line + kLines * r) * kLine + d);
#pragma unroll
        for (int j = 0; j < kKeys / kColumns; ++j) {
          score[r][j] = fmaf(q.x, k[j].x, score[r][j]);
          score[r][j] = fmaf(q.y, k[j].y, score[r][j]);
          score[r][j] = fmaf(q.z, k[j].z, score[r][j]);
          score[r][j] = fmaf(q.w, k[j].w, score[r][j]);
        }
      }
    }
  }

  /// Scores of the tile whose first key is `first_key`: masked, turned into weights, kept in
  /// shared memory; what was summed so far is scaled to the new maximum.
  INLINE void weigh(int first_key) {
    f32 score[kRows][kKeys / kColumns];
    dot(score);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const int query = first_query + line + kLines * r;
      f32 top = largest[r];
#pragma unroll
      for (int j = 0; j < kKeys / kColumns; ++j) {
        const int key = first_key + column + kColumns * j;
        const bool exists = key < a.keys && query < a.queries && !(kCausal && key > query);
        score[r][j] = exists
                          ? masked<MaskType, kMask>(a, mask_base, query, key, score[r][j] * a.scale)
                          : -infinity();
        top = fmaxf(top, score[r][j]);
      }
      top = over_columns(top, Larger());
      // A row that attends to nothing yet has no maximum to subtract.
      const f32 shift = top == -infinity() ? 0.0f : top;
      const f32 scale = expf(largest[r] - shift);
      largest[r] = top;
      f32 weights = 0;
#pragma unroll
      for (int j = 0; j < kKeys / kColumns; ++j) {
        const f32 weight = expf(score[r][j] - shift);
        shared.score[(line + kLines * r) * kScoreLine + column + kColumns * j] = weight;
        weights += weight;
      }
      sum[r] = sum[r] * scale + over_columns(weights, Plus());
#pragma unroll
      for (int j = 0; j < kParts; ++j) {
#pragma unroll
        for (int e = 0; e < kPart; ++e) result[r][j][e] *= scale;
      }
    }
  }

  /// Adds weights times values of a tile.
  INLINE void mix() {
#pragma unroll 2
    for (int key = 0; key < kKeys; ++key) {
      f32 weight[kRows];
#pragma unroll
      for (int r = 0; r < kRows; ++r)
        weight[r] = shared.score[(line + kLines * r) * kScoreLine + key];
#pragma unroll
      for (int j = 0; j < kParts; ++j) {
        const int d = kPart * (column + kColumns * j);
        if (d >= kHead) continue;  // head sizes that are no multiple of 32
        const float4 v = part_of(shared.kv + key * kLine + d);
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
          result[r][j][0] = fmaf(weight[r], v.x, result[r][j][0]);
          result[r][j][1] = fmaf(weight[r], v.y, result[r][j][1]);
          result[r][j][2] = fmaf(weight[r], v.z, result[r][j][2]);
          result[r][j][3] = fmaf(weight[r], v.w, result[r][j][3]);
        }
      }
    }
  }

  /// A row that attended to nothing: 0 as in ATen's _safe_softmax, or NaN as in its softmax.
  INLINE void store(i64 out_base) {
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const int query = first_query + line + kLines * r;
      if (query >= a.queries) continue;
      const bool is_empty = largest[r] == -infinity();
      const f32 share = 1.0f / sum[r];
#pragma unroll
      for (int j = 0; j < kParts; ++j) {
        const int d = kPart * (column + kColumns * j);
        if (d >= kHead) continue;
        f32 y[kPart];
#pragma unroll
        for (int e = 0; e < kPart; ++e)
          y[e] = is_empty ? result[r][j][e] + a.empty_row : result[r][j][e] * share;
        store_unit<T>(a.out, out_base + query * a.out_strides[2] + d, kPart, a.aligned, y);
      }
    }
  }
};

/// q, out   [batch, heads, queries, kHead], rows contiguous
/// k, v     [batch, heads / heads_per_kv, keys, kHead], rows contiguous
/// mask     [batch, heads, queries, keys] of any strides
/// Grid     query_tiles * batch * heads blocks of kAttentionThreads
template <class T, class MaskType, int kMask, bool kCausal, int kHead, int kRows>
INLINE void attention(const AttentionArguments& a) {
  using Tile = AttentionTile<T, MaskType, kMask, kCausal, kHead, kRows>;
  __shared__ typename Tile::Shared shared;
  const int head_of_batch = blockIdx.x / a.query_tiles;
  const int first_query = (blockIdx.x - head_of_batch * a.query_tiles) * Tile::kQueries;
  const i64 batch = head_of_batch / a.heads, head = head_of_batch % a.heads;
  const i64 kv_head = head / a.heads_per_kv;
  const T* const q = static_cast<const T*>(a.q) + batch * a.q_strides[0] + head * a.q_strides[1];
  const T* const k = static_cast<const T*>(a.k) + batch * a.k_strides[0] + kv_head * a.k_strides[1];
  const T* const v = static_cast<const T*>(a.v) + batch * a.v_strides[0] + kv_head * a.v_strides[1];
  Tile tile{a, shared, first_query, batch * a.mask_strides[0] + head * a.mask_strides[1]};
  tile.begin();

  load_tile<T, kHead, Tile::kQueries>(q + first_query * a.q_strides[2], a.q_strides[2],
                                      a.queries - first_query, a.aligned, shared.q);
  // Keys beyond the block's last query are masked for all of them.
  const int last = kCausal ? min(a.keys, first_query + Tile::kQueries) : a.keys;
  for (int first_key = 0; first_key < last; first_key += kKeys) {
    __syncthreads();  // the previous tile's values have been read
    load_tile<T, kHead, kKeys>(k + first_key * a.k_strides[2], a.k_strides[2], a.keys - first_key,
                               a.aligned, shared.kv);
    __syncthreads();
    tile.weigh(first_key);
    __syncthreads();  // keys make room for values
    load_tile<T, kHead, kKeys>(v + first_key * a.v_strides[2], a.v_strides[2], a.keys - first_key,
                               a.aligned, shared.kv);
    __syncthreads();
    tile.mix();
  }
  tile.store(batch * a.out_strides[0] + head * a.out_strides[1]);
}
