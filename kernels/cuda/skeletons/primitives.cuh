// The scalar primitives of kernels/prim.h on the device, one function each, with ATen's semantics.
// Numerics  libdevice's accurate functions and IEEE division; nothing is contracted but fma.
#pragma once

#include "half.cuh"

namespace prim {

// C++ has no integer division by zero and traps on none here; scalar.cpp's answers are these.
template <class T>
INLINE T wrapping(unsigned long long value) {
  return static_cast<T>(value);
}
template <class T>
INLINE unsigned long long bits(T value) {
  return static_cast<unsigned long long>(value);
}

#define FOR_FLOATS(X) X(f32) X(f64)
#define FOR_INTEGERS(X) X(i32) X(i64)
#define FOR_NUMBERS(X) FOR_FLOATS(X) FOR_INTEGERS(X)

#define DEFINE(T)                                               \
  INLINE T add(T a, T b) { return a + b; }                      \
  INLINE T sub(T a, T b) { return a - b; }                      \
  INLINE T mul(T a, T b) { return a * b; }                      \
  INLINE T div(T a, T b) { return a / b; }                      \
  INLINE T neg(T a) { return -a; }                              \
  INLINE bool is_nan(T a) { return a != a; }                    \
  INLINE T min(T a, T b) { return is_nan(a) || a < b ? a : b; } \
  INLINE T max(T a, T b) { return is_nan(a) || a > b ? a : b; }
FOR_FLOATS(DEFINE)
#undef DEFINE

// Through unsigned, where overflow wraps.
#define DEFINE(T)                                                                       \
  INLINE T add(T a, T b) { return wrapping<T>(bits(a) + bits(b)); }                     \
  INLINE T sub(T a, T b) { return wrapping<T>(bits(a) - bits(b)); }                     \
  INLINE T mul(T a, T b) { return wrapping<T>(bits(a) * bits(b)); }                     \
  INLINE T neg(T a) { return wrapping<T>(0 - bits(a)); }                                \
  INLINE T abs(T a) { return a < 0 ? neg(a) : a; }                                      \
  INLINE T min(T a, T b) { return a < b ? a : b; }                                      \
  INLINE T max(T a, T b) { return a > b ? a : b; }                                      \
  INLINE T bit_and(T a, T b) { return a & b; }                                          \
  INLINE T bit_or(T a, T b) { return a | b; }                                           \
  INLINE T bit_xor(T a, T b) { return a ^ b; }                                          \
  INLINE T bit_not(T a) { return ~a; }                                                  \
  INLINE T floor(T a) { return a; }                                                     \
  INLINE T ceil(T a) { return a; }                                                      \
  INLINE T trunc(T a) { return a; }                                                     \
  INLINE T rint(T a) { return a; }                                                      \
  INLINE T shl(T a, T b) {                                                              \
    constexpr unsigned long long kBits = 8 * sizeof(T);                                 \
    return bits(b) >= kBits ? T(0) : wrapping<T>(bits(a) << bits(b));                   \
  }                                                                                     \
  INLINE T shr(T a, T b) {                                                              \
    constexpr unsigned long long kBits = 8 * sizeof(T);                                 \
    return a >> (bits(b) >= kBits ? static_cast<int>(kBits) - 1 : static_cast<int>(b)); \
  }                                                                                     \
  INLINE T div(T a, T b) {                                                              \
    if (b == 0) return 0;                                                               \
    return b == -1 ? neg(a) : a / b;                                                    \
  }                                                                                     \
  INLINE T fmod(T a, T b) { return b == 0 || b == -1 ? T(0) : a % b; }                  \
  INLINE T remainder(T a, T b) {                                                        \
    const T rest = fmod(a, b);                                                          \
    return rest != 0 && (b < 0) != (rest < 0) ? rest + b : rest;                        \
  }                                                                                     \
  INLINE T floor_div(T a, T b) {                                                        \
    const T quotient = div(a, b), rest = fmod(a, b);                                    \
    return rest != 0 && (b < 0) != (rest < 0) ? quotient - 1 : quotient;                \
  }
FOR_INTEGERS(DEFINE)
#undef DEFINE

#define DEFINE(T)                             \
  INLINE bool eq(T a, T b) { return a == b; } \
  INLINE bool ne(T a, T b) { return a != b; } \
  INLINE bool lt(T a, T b) { return a < b; }  \
  INLINE bool le(T a, T b) { return a <= b; } \
  INLINE T select(bool which, T a, T b) { return which ? a : b; }
FOR_NUMBERS(DEFINE)
DEFINE(bool)
#undef DEFINE

INLINE bool bit_and(bool a, bool b) { return a && b; }
INLINE bool bit_or(bool a, bool b) { return a || b; }
INLINE bool bit_xor(bool a, bool b) { return a != b; }
INLINE bool bit_not(bool a) { return !a; }
INLINE bool min(bool a, bool b) { return a && b; }
INLINE bool max(bool a, bool b) { return a || b; }

INLINE f32 abs(f32 a) { return ::fabsf(a); }
INLINE f64 abs(f64 a) { return ::fabs(a); }

// clang-format joins rows of macro calls, a little further each time it runs.
// clang-format off
#define UNARY(name)                               \
  INLINE f32 name(f32 a) { return ::name##f(a); } \
  INLINE f64 name(f64 a) { return ::name(a); }
UNARY(sqrt) UNARY(rsqrt) UNARY(floor) UNARY(ceil) UNARY(trunc) UNARY(rint)
UNARY(exp) UNARY(expm1) UNARY(log) UNARY(log1p) UNARY(tanh) UNARY(erf) UNARY(erfc)
UNARY(sin) UNARY(cos) UNARY(atan)
#undef UNARY

#define BINARY(name)                                        \
  INLINE f32 name(f32 a, f32 b) { return ::name##f(a, b); } \
  INLINE f64 name(f64 a, f64 b) { return ::name(a, b); }
BINARY(fmod) BINARY(copysign) BINARY(pow)
#undef BINARY
INLINE f32 fma(f32 a, f32 b, f32 c) { return ::fmaf(a, b, c); }
INLINE f64 fma(f64 a, f64 b, f64 c) { return ::fma(a, b, c); }
// clang-format on

// ATen/native/cuda/BinaryDivFloorKernel.cu and BinaryRemainderKernel.cu.
#define DEFINE(T)                                                  \
  INLINE T remainder(T a, T b) {                                   \
    const T rest = fmod(a, b);                                     \
    return rest != 0 && (b < 0) != (rest < 0) ? rest + b : rest;   \
  }                                                                \
  INLINE T floor_div(T a, T b) {                                   \
    if (b == 0) return a / b;                                      \
    const T rest = fmod(a, b);                                     \
    T quotient = (a - rest) / b;                                   \
    if (rest != 0 && (b < 0) != (rest < 0)) quotient -= T(1);      \
    if (quotient == 0) return copysign(T(0), a / b);               \
    const T floored = floor(quotient);                             \
    return quotient - floored > T(0.5) ? floored + T(1) : floored; \
  }
FOR_FLOATS(DEFINE)
#undef DEFINE

// ATen/native/Pow.h, powi: a negative exponent leaves 1 and -1 only.
template <class T>
INLINE T integer_power(T a, T b) {
  if (b < 0) return a == 1 ? T(1) : a == -1 ? (b % 2 == 0 ? T(1) : T(-1)) : T(0);
  unsigned long long base = bits(a), result = 1;
  for (unsigned long long left = bits(b); left != 0; left >>= 1) {
    if (left & 1) result *= base;
    base *= base;
  }
  return wrapping<T>(result);
}
INLINE i32 pow(i32 a, i32 b) { return integer_power(a, b); }
INLINE i64 pow(i64 a, i64 b) { return integer_power(a, b); }

/// Floats outside of an integer's range, and NaN, give its lowest value, as x86's conversions do;
/// the device's own would saturate.
template <class To, class From>
struct Cast {
  static INLINE To of(From a) { return static_cast<To>(a); }
};
template <class From>
struct Cast<bool, From> {
  static INLINE bool of(From a) { return a != From(0); }
};
#define DEFINE(To, From, limit)                                   \
  template <>                                                     \
  struct Cast<To, From> {                                         \
    static INLINE To of(From a) {                                 \
      const bool fits = a >= -From(limit) && a < From(limit);     \
      return fits ? static_cast<To>(a) : static_cast<To>(-limit); \
    }                                                             \
  };
DEFINE(i32, f32, 2147483648.0)
DEFINE(i32, f64, 2147483648.0)
DEFINE(i64, f32, 9223372036854775808.0)
DEFINE(i64, f64, 9223372036854775808.0)
#undef DEFINE
template <class To, class From>
INLINE To cast(From a) {
  return Cast<To, From>::of(a);
}

/// As the value reads back from memory of T.
template <class T>
INLINE Compute<T> settle(Compute<T> a) {
  return widen(narrow<T>(a));
}

}  // namespace prim
