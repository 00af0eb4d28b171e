// Non-maximum suppression of boxes that lie by falling score: which of them overlap, a bit a pair,
// and then who stays, in one block, 64 boxes at a time.
#pragma once

#include "primitives.cuh"
#include "vector.cuh"

using u64 = unsigned long long;

constexpr int kWordBoxes = 64;  // boxes a word of the mask, and threads a block of nms_overlaps

/// boxes    [count, 4], dense: left, top, right, bottom; aligned to a box, up to 16 bytes
/// mask     [strip, words]: bit b of word w of row r is set when box first + r drops box 64 w + b;
///          words before a row's own are never written, nor read
/// dropped  [words]: what boxes before the strip drop; zero before the first strip
/// kept     [count], this strip's are written
/// first    of the strip's boxes, a multiple of 64
/// The host packs the same layout: suppression.cpp.
struct SuppressionArguments {
  const void* boxes;
  u64 *mask, *dropped;
  unsigned char* kept;
  f64 threshold;
  i64 count, words, first, strip;
};

template <class T>
struct Box {
  Compute<T> left, top, right, bottom;

  // One access of 16 bytes, two for f64: a box's sectors are then asked for once, not four times.
  INLINE static Box load(const void* boxes, i64 at) {
    constexpr int kAtOnce = sizeof(T) == 8 ? 2 : 4;
    Compute<T> corner[4];
#pragma unroll
    for (int k = 0; k < 4; k += kAtOnce) {
      Compute<T> some[kAtOnce];
      load_unit<T, kAtOnce>(boxes, at * 4 + k, kAtOnce, true, some);
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) corner[k + i] = some[i];
    }
    return {corner[0], corner[1], corner[2], corner[3]};
  }
  INLINE Compute<T> area() const { return (right - left) * (bottom - top); }
};

/// The length of what [a, b] and [c, d] share; 0 also for NaN.
template <class T>
INLINE Compute<T> shared_length(Compute<T> a, Compute<T> b, Compute<T> c, Compute<T> d) {
  const Compute<T> length = widen(narrow<T>((d < b ? d : b) - (a < c ? c : a)));
  return length > 0 ? length : 0;
}

/// A thread takes a box of the strip and compares it with 64 boxes, which the block shares.
///
/// Grid   words from the strip's first on x ceil(strip / 64) blocks of 64 threads
template <class T>
INLINE void nms_overlaps(const SuppressionArguments& a) {
  // Pairs below the diagonal are those above it the other way round: whole blocks leave.
  if (blockIdx.x < blockIdx.y) return;
  __shared__ Box<T> others[kWordBoxes];
  const i64 word = a.first / kWordBoxes + blockIdx.x, other = word * kWordBoxes;
  if (other + threadIdx.x < a.count)
    others[threadIdx.x] = Box<T>::load(a.boxes, other + threadIdx.x);
  __syncthreads();
  const i64 row = static_cast<i64>(blockIdx.y) * kWordBoxes + threadIdx.x;
  if (row >= a.strip) return;
  const i64 self = a.first + row;
  const Box<T> box = Box<T>::load(a.boxes, self);
  const int begin = blockIdx.x == blockIdx.y ? static_cast<int>(threadIdx.x) + 1 : 0;
  const int end = a.count - other < kWordBoxes ? static_cast<int>(a.count - other) : kWordBoxes;
  u64 bits = 0;
  for (int b = begin; b < end; ++b) {
    const Box<T> with = others[b];
    const Compute<T> both = shared_length<T>(box.left, box.right, with.left, with.right) *
                            shared_length<T>(box.top, box.bottom, with.top, with.bottom);
    if (both / (box.area() + with.area() - both) > a.threshold) bits |= u64{1} << b;
  }
  a.mask[row * a.words + word] = bits;
}

/// Grid   one block: each 64 boxes wait for those before them
INLINE void nms_sweep(const SuppressionArguments& a) {
  __shared__ u64 diagonal[kWordBoxes];
  __shared__ u64 stays;
  for (i64 chunk = 0; chunk < a.strip; chunk += kWordBoxes) {
    const i64 word = (a.first + chunk) / kWordBoxes;
    const int boxes = a.strip - chunk < kWordBoxes ? static_cast<int>(a.strip - chunk) : kWordBoxes;
    const i64 mine = chunk + threadIdx.x;
    const bool has_box = threadIdx.x < boxes;
    if (has_box) diagonal[threadIdx.x] = a.mask[mine * a.words + word];
    __syncthreads();
    if (threadIdx.x == 0) {  // from registers and shared memory alone: some hundred cycles
      u64 gone = a.dropped[word], kept = 0;
      for (int b = 0; b < boxes; ++b) {
        if (gone >> b & 1) continue;
        kept |= u64{1} << b;
        gone |= diagonal[b];
      }
      stays = kept;
    }
    __syncthreads();
    const u64 kept = stays;
    if (has_box) a.kept[a.first + mine] = kept >> threadIdx.x & 1;
    // Neighbouring threads read neighbouring words of the rows that stay.
    for (i64 w = word + 1 + threadIdx.x; w < a.words; w += blockDim.x) {
      u64 gone = a.dropped[w];
      for (int b = 0; b < boxes; ++b) {
        if (kept >> b & 1) gone |= a.mask[(chunk + b) * a.words + w];
      }
      a.dropped[w] = gone;
    }
    // No barrier here: the next chunk's first one comes before anybody reads its word of dropped,
    // and before `stays` is written again; nobody reads the diagonal below the second.
  }
}
