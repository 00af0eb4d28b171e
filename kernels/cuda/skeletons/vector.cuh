// Loads and stores of several consecutive elements, by the class of the operand's innermost stride.
//
// x, y     compute values of kVector elements
// offset   elements from the operand's first element to the vector's first
// valid    how many of the kVector elements exist; the others read as 0 and are not written
// whole    all exist and the address is aligned to kVector elements: one access of up to 16 bytes
#pragma once

#include "half.cuh"

template <class T, int kVector>
struct alignas(sizeof(T) * kVector) Pack {
  T element[kVector];
};

template <class T, int kVector>
INLINE void load_unit(const void* base, i64 offset, int valid, bool whole,
                      Compute<T> (&x)[kVector]) {
  const T* const from = static_cast<const T*>(base) + offset;
  if (whole) {
    const Pack<T, kVector> pack = *reinterpret_cast<const Pack<T, kVector>*>(from);
#pragma unroll
    for (int k = 0; k < kVector; ++k) x[k] = widen(pack.element[k]);
  } else {
#pragma unroll
    for (int k = 0; k < kVector; ++k) x[k] = k < valid ? widen(from[k]) : Compute<T>(0);
  }
}

/// Stride 0: read once, whatever the vector's length.
template <class T, int kVector>
INLINE void load_same(const void* base, i64 offset, int valid, Compute<T> (&x)[kVector]) {
  const Compute<T> value = valid > 0 ? widen(static_cast<const T*>(base)[offset]) : Compute<T>(0);
#pragma unroll
  for (int k = 0; k < kVector; ++k) x[k] = value;
}

template <class T, int kVector>
INLINE void load_strided(const void* base, i64 offset, i64 stride, int valid,
                         Compute<T> (&x)[kVector]) {
  const T* const from = static_cast<const T*>(base) + offset;
#pragma unroll
  for (int k = 0; k < kVector; ++k) x[k] = k < valid ? widen(from[k * stride]) : Compute<T>(0);
}

/// One element at an address that data decides; nothing is read where `reads` is false.
template <class T>
INLINE Compute<T> gather(const void* base, i64 offset, bool reads) {
  return reads ? widen(static_cast<const T*>(base)[offset]) : Compute<T>(0);
}

template <class T, int kVector>
INLINE void store_unit(void* base, i64 offset, int valid, bool whole,
                       const Compute<T> (&y)[kVector]) {
  T* const to = static_cast<T*>(base) + offset;
  if (whole) {
    Pack<T, kVector> pack;
#pragma unroll
    for (int k = 0; k < kVector; ++k) pack.element[k] = narrow<T>(y[k]);
    if constexpr (sizeof(pack) >= 8) {
      unsigned words[sizeof(pack) / 4];
      memcpy(words, &pack, sizeof(pack));
      store_words(to, words);
    } else {
      *reinterpret_cast<Pack<T, kVector>*>(to) = pack;
    }
  } else {
#pragma unroll
    for (int k = 0; k < kVector; ++k) {
      if (k < valid) to[k] = narrow<T>(y[k]);
    }
  }
}

template <class T, int kVector>
INLINE void store_strided(void* base, i64 offset, i64 stride, int valid,
                          const Compute<T> (&y)[kVector]) {
  T* const to = static_cast<T*>(base) + offset;
#pragma unroll
  for (int k = 0; k < kVector; ++k) {
    if (k < valid) to[k * stride] = narrow<T>(y[k]);
  }
}

template <int kBytes>
struct Bits;
template <>
struct Bits<1> {
  using Type = unsigned char;
};
template <>
struct Bits<2> {
  using Type = unsigned short;
};
template <>
struct Bits<4> {
  using Type = unsigned;
};
template <>
struct Bits<8> {
  using Type = unsigned long long;
};

/// One element at an address that data decides, or that a predicate may leave out. Data may name a
/// place twice: the store is a strong one, so that one of the values wins and nothing tears.
template <class T>
INLINE void scatter(void* base, i64 offset, bool writes, Compute<T> value) {
  if (!writes) return;
  using Word = typename Bits<sizeof(T)>::Type;
  const T element = narrow<T>(value);
  Word bits;
  memcpy(&bits, &element, sizeof(T));
  *static_cast<volatile Word*>(static_cast<void*>(static_cast<T*>(base) + offset)) = bits;
}
