// Reductions under way: each takes elements with their places, and merges with another's result.
// They merge in any order, so lanes and warps may pair up as they like.
#pragma once

#include "primitives.cuh"

template <class T>
struct Extremes;
template <>
struct Extremes<f32> {
  static INLINE f32 lowest() { return -infinity(); }
  static INLINE f32 highest() { return infinity(); }
};
template <>
struct Extremes<f64> {
  static INLINE f64 lowest() { return -infinity(); }
  static INLINE f64 highest() { return infinity(); }
};
template <>
struct Extremes<i32> {
  static INLINE i32 lowest() { return -2147483647 - 1; }
  static INLINE i32 highest() { return 2147483647; }
};
template <>
struct Extremes<i64> {
  static INLINE i64 lowest() { return -9223372036854775807ll - 1; }
  static INLINE i64 highest() { return 9223372036854775807ll; }
};
template <>
struct Extremes<bool> {
  static INLINE bool lowest() { return false; }
  static INLINE bool highest() { return true; }
};

INLINE i32 shuffled(i32 value, int mask) { return __shfl_xor_sync(kAllLanes, value, mask); }
INLINE i64 shuffled(i64 value, int mask) { return __shfl_xor_sync(kAllLanes, value, mask); }
INLINE f32 shuffled(f32 value, int mask) { return __shfl_xor_sync(kAllLanes, value, mask); }
INLINE f64 shuffled(f64 value, int mask) { return __shfl_xor_sync(kAllLanes, value, mask); }
INLINE bool shuffled(bool value, int mask) {
  return __shfl_xor_sync(kAllLanes, static_cast<i32>(value), mask) != 0;
}

template <class T>
struct Sum {
  T value = 0;
  INLINE void add(T x, i64) { value = prim::add(value, x); }
  INLINE void merge(const Sum& other) { add(other.value, 0); }
  INLINE Sum from_lane(int mask) const { return {shuffled(value, mask)}; }
  INLINE T result() const { return value; }
};

template <class T>
struct Product {
  T value = 1;
  INLINE void add(T x, i64) { value = prim::mul(value, x); }
  INLINE void merge(const Product& other) { add(other.value, 0); }
  INLINE Product from_lane(int mask) const { return {shuffled(value, mask)}; }
  INLINE T result() const { return value; }
};

/// NaN wins.
template <class T>
struct Largest {
  T value = Extremes<T>::lowest();
  INLINE void add(T x, i64) { value = prim::max(value, x); }
  INLINE void merge(const Largest& other) { add(other.value, 0); }
  INLINE Largest from_lane(int mask) const { return {shuffled(value, mask)}; }
  INLINE T result() const { return value; }
};

template <class T>
struct Smallest {
  T value = Extremes<T>::highest();
  INLINE void add(T x, i64) { value = prim::min(value, x); }
  INLINE void merge(const Smallest& other) { add(other.value, 0); }
  INLINE Smallest from_lane(int mask) const { return {shuffled(value, mask)}; }
  INLINE T result() const { return value; }
};

/// A value in eight bytes, all of which are written: what stands beside an i64 is copied through
/// memory with its padding, which would be read there without ever having been written.
template <class T, int kRest = 8 - sizeof(T)>
struct Word {
  T value;
  unsigned char rest[kRest];
};
template <class T>
struct Word<T, 0> {
  T value;
};

/// Where the best stands: the first of equal ones, the first NaN before all others.
template <class T, bool kLargest>
struct ArgBest {
  static constexpr i64 kNowhere = 9223372036854775807ll;
  Word<T> best = {kLargest ? Extremes<T>::lowest() : Extremes<T>::highest()};
  i64 place = kNowhere;

  INLINE void add(T x, i64 at) {
    const T value = best.value;
    const bool x_nan = x != x, nan = value != value;
    const bool better = (x_nan && !nan) || (!nan && (kLargest ? x > value : x < value));
    const bool equal = x == value || (x_nan && nan);
    if (better || (equal && at < place)) {
      best.value = x;
      place = at;
    }
  }
  // Nothing seen is at no place, and equal to the worst: it never replaces what was seen.
  INLINE void merge(const ArgBest& other) { add(other.best.value, other.place); }
  INLINE ArgBest from_lane(int mask) const {
    return {{shuffled(best.value, mask)}, shuffled(place, mask)};
  }
  INLINE i64 result() const { return place == kNowhere ? 0 : place; }
};
template <class T>
using ArgLargest = ArgBest<T, true>;
template <class T>
using ArgSmallest = ArgBest<T, false>;

/// Visitors that carry reductions through memory, one in each slot of kSlot bytes.
///
/// at      the first reduction's slot
/// stride  bytes from one reduction's slot to the next one's
constexpr int kSlot = 16;
struct PutReductions {
  unsigned char* at;
  i64 stride;
  template <class Reduction>
  INLINE void operator()(Reduction& r) {
    *reinterpret_cast<Reduction*>(at) = r;
    at += stride;
  }
};
struct MergeReductions {
  const unsigned char* at;
  i64 stride;
  template <class Reduction>
  INLINE void operator()(Reduction& r) {
    r.merge(*reinterpret_cast<const Reduction*>(at));
    at += stride;
  }
};
