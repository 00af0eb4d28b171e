// Element types as they lie in memory, and their conversions to the type that arithmetic is done
// in. All inline PTX of the skeletons is in this file. CUDA's own fp16 headers would cost a fifth
// of a small kernel's compile, and need a toolkit's include folder at run time.
#pragma once

using f32 = float;
using f64 = double;
using i64 = long long;
using i32 = int;
using i16 = short;
using i8 = signed char;
using u8 = unsigned char;
struct f16 {
  unsigned short bits;
};
struct bf16 {
  unsigned short bits;
};
/// A bool of a tensor: any byte but 0 is true, so it must not be read as C++'s bool.
struct b8 {
  unsigned char bits;
};

#define INLINE __device__ __forceinline__

constexpr unsigned kAllLanes = 0xffffffffu;

/// Stores of 8 and 16 bytes to global memory, as one instruction: left to itself, the compiler
/// splits some of them into words.
INLINE void store_words(void* to, const unsigned (&words)[2]) {
  asm volatile("st.global.v2.b32 [%0], {%1, %2};" ::"l"(__cvta_generic_to_global(to)),
               "r"(words[0]), "r"(words[1])
               : "memory");
}
INLINE void store_words(void* to, const unsigned (&words)[4]) {
  asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(__cvta_generic_to_global(to)),
               "r"(words[0]), "r"(words[1]), "r"(words[2]), "r"(words[3])
               : "memory");
}

INLINE f32 infinity() { return __int_as_float(0x7f800000); }

/// The type that arithmetic on T is done in: dtype.h's compute_type.
template <class T>
struct ComputeOf {
  using Type = T;
};
template <>
struct ComputeOf<f16> {
  using Type = f32;
};
template <>
struct ComputeOf<bf16> {
  using Type = f32;
};
template <>
struct ComputeOf<i16> {
  using Type = i32;
};
template <>
struct ComputeOf<i8> {
  using Type = i32;
};
template <>
struct ComputeOf<u8> {
  using Type = i32;
};
template <>
struct ComputeOf<b8> {
  using Type = bool;
};
template <class T>
using Compute = typename ComputeOf<T>::Type;

template <class T>
INLINE Compute<T> widen(T value) {
  return value;
}
INLINE f32 widen(f16 value) {
  f32 wide;
  asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(value.bits));
  return wide;
}
INLINE f32 widen(bf16 value) { return __uint_as_float(unsigned{value.bits} << 16); }
INLINE bool widen(b8 value) { return value.bits != 0; }

/// Halves round to nearest even; integers wrap.
template <class T>
struct Narrow {
  static INLINE T from(Compute<T> value) { return static_cast<T>(value); }
};
template <>
struct Narrow<f16> {
  static INLINE f16 from(f32 value) {
    f16 half;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half.bits) : "f"(value));
    return half;
  }
};
template <>
struct Narrow<bf16> {
  static INLINE bf16 from(f32 value) {
    bf16 half;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(half.bits) : "f"(value));
    return half;
  }
};
template <>
struct Narrow<b8> {
  static INLINE b8 from(bool value) { return b8{static_cast<unsigned char>(value)}; }
};
template <class T>
INLINE T narrow(Compute<T> value) {
  return Narrow<T>::from(value);
}
