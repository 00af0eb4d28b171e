// Stores that add to what is there, from any number of threads.
#pragma once

#include "half.cuh"

INLINE void add_atomically(f32* to, f32 value) { atomicAdd(to, value); }
INLINE void add_atomically(f64* to, f64 value) { atomicAdd(to, value); }
INLINE void add_atomically(i32* to, i32 value) { atomicAdd(to, value); }
INLINE void add_atomically(i64* to, i64 value) {
  atomicAdd(reinterpret_cast<unsigned long long*>(to), static_cast<unsigned long long>(value));
}

// Each addition rounds to the half, as it does when additions follow one another.
template <class T>
INLINE void add_to_half(T* to, Compute<T> value) {
  auto* const word = reinterpret_cast<unsigned short*>(to);
  unsigned short seen = atomicCAS(word, 0, 0);
  for (;;) {
    T old;
    memcpy(&old, &seen, sizeof(T));
    const T sum = narrow<T>(widen(old) + value);
    unsigned short wanted;
    memcpy(&wanted, &sum, sizeof(T));
    const unsigned short found = atomicCAS(word, seen, wanted);
    if (found == seen) return;
    seen = found;
  }
}
INLINE void add_atomically(f16* to, f32 value) { add_to_half(to, value); }
INLINE void add_atomically(bf16* to, f32 value) { add_to_half(to, value); }
INLINE void add_atomically(i16* to, i32 value) { add_to_half(to, value); }

// No atomic is as narrow as a byte: the aligned word around it is exchanged. Device memory comes in
// multiples of a word, so the word lies inside the allocation.
INLINE void add_to_byte(u8* to, unsigned value) {
  const auto address = reinterpret_cast<unsigned long long>(to);
  auto* const word = reinterpret_cast<unsigned*>(address & ~3ull);
  const unsigned shift = 8 * static_cast<unsigned>(address & 3);
  unsigned seen = atomicAdd(word, 0u);
  for (;;) {
    const unsigned sum = ((seen >> shift) + value) & 0xffu;
    const unsigned found = atomicCAS(word, seen, (seen & ~(0xffu << shift)) | sum << shift);
    if (found == seen) return;
    seen = found;
  }
}
INLINE void add_atomically(u8* to, i32 value) { add_to_byte(to, static_cast<unsigned>(value)); }
INLINE void add_atomically(i8* to, i32 value) {
  add_to_byte(reinterpret_cast<u8*>(to), static_cast<unsigned>(value));
}

template <class T>
INLINE void accumulate(void* base, i64 offset, bool writes, Compute<T> value) {
  if (writes) add_atomically(static_cast<T*>(base) + offset, value);
}
