// Vectors of float32 and float64 as sampling takes them. For files that compile for AVX2 and FMA.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/x86/transpose.h"

namespace torchweld::x86 {
namespace {

template <class T>
struct Lanes;

template <>
struct Lanes<float> {
  static constexpr int64_t kCount = 8;
  using V [[gnu::vector_size(32)]] = float;
  using Int = int32_t;
  using I [[gnu::vector_size(32)]] = int32_t;

  static V floor(V v) { return _mm256_floor_ps(v); }
  static V trunc(V v) { return _mm256_round_ps(v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC); }
  static V nearest(V v) {
    return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
  /// The least integer for what is none.
  static I to_int(V v) { return reinterpret_cast<I>(_mm256_cvttps_epi32(v)); }

  static bool all(I mask) { return _mm256_movemask_epi8(reinterpret_cast<__m256i>(mask)) == -1; }
  /// Every other element of two vectors, from the first on, and the rest.
  static void deal(V a, V b, V* even, V* odd) {
    *even = __builtin_shuffle(a, b, I{0, 2, 4, 6, 8, 10, 12, 14});
    *odd = __builtin_shuffle(a, b, I{1, 3, 5, 7, 9, 11, 13, 15});
  }

  static void exchange(V (&rows)[kCount]) {
    __m256 r[kCount];
    for (int i = 0; i < kCount; ++i) r[i] = rows[i];
    transpose(r);
    for (int i = 0; i < kCount; ++i) rows[i] = r[i];
  }

  /// Two neighbours at each of kCount places, as vectors of the first ones and of the second ones.
  static void neighbours(const float* x, const Int* at, V* out) {
    const auto two = [&](int64_t l) {
      const __m128 low = _mm_loadl_pi(_mm_setzero_ps(), reinterpret_cast<const __m64*>(x + at[l]));
      return _mm_loadh_pi(low, reinterpret_cast<const __m64*>(x + at[l + 1]));
    };
    const __m256 even = _mm256_set_m128(two(4), two(0)), odd = _mm256_set_m128(two(6), two(2));
    out[0] = _mm256_shuffle_ps(even, odd, _MM_SHUFFLE(2, 0, 2, 0));
    out[1] = _mm256_shuffle_ps(even, odd, _MM_SHUFFLE(3, 1, 3, 1));
  }

  /// The same of four.
  static void four_neighbours(const float* x, const Int* at, V* out) {
    __m256 r[4], pairs[4];
    for (int i = 0; i < 4; ++i)
      r[i] = _mm256_set_m128(_mm_loadu_ps(x + at[i + 4]), _mm_loadu_ps(x + at[i]));
    for (int i = 0; i < 4; i += 2) {
      pairs[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
      pairs[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 2; ++i) {
      out[2 * i] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], _MM_SHUFFLE(1, 0, 1, 0));
      out[2 * i + 1] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], _MM_SHUFFLE(3, 2, 3, 2));
    }
  }
};

template <>
struct Lanes<double> {
  static constexpr int64_t kCount = 4;
  using V [[gnu::vector_size(32)]] = double;
  using Int = int64_t;
  using I [[gnu::vector_size(32)]] = int64_t;

  static V floor(V v) { return _mm256_floor_pd(v); }
  static V trunc(V v) { return _mm256_round_pd(v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC); }
  static V nearest(V v) {
    return _mm256_round_pd(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static V fma(V a, V b, V c) { return _mm256_fmadd_pd(a, b, c); }
  /// Of 32 bits, since AVX2 has no others: what is outside of these is in no image either.
  static I to_int(V v) {
    return reinterpret_cast<I>(_mm256_cvtepi32_epi64(_mm256_cvttpd_epi32(v)));
  }

  static bool all(I mask) { return _mm256_movemask_epi8(reinterpret_cast<__m256i>(mask)) == -1; }
  static void deal(V a, V b, V* even, V* odd) {
    *even = __builtin_shuffle(a, b, I{0, 2, 4, 6});
    *odd = __builtin_shuffle(a, b, I{1, 3, 5, 7});
  }

  static void exchange(V (&rows)[kCount]) {
    V out[kCount];
    exchange(rows, out);
    for (int i = 0; i < kCount; ++i) rows[i] = out[i];
  }

  static void neighbours(const double* x, const Int* at, V* out) {
    const auto two = [&](int64_t l) {
      return _mm256_set_m128d(_mm_loadu_pd(x + at[l + 2]), _mm_loadu_pd(x + at[l]));
    };
    const __m256d even = two(0), odd = two(1);
    out[0] = _mm256_unpacklo_pd(even, odd);
    out[1] = _mm256_unpackhi_pd(even, odd);
  }

  static void four_neighbours(const double* x, const Int* at, V* out) {
    V rows[kCount];
    for (int i = 0; i < kCount; ++i) rows[i] = _mm256_loadu_pd(x + at[i]);
    exchange(rows, out);
  }

 private:
  static void exchange(const V* rows, V* out) {
    __m256d pairs[kCount];
    for (int i = 0; i < kCount; i += 2) {
      pairs[i] = _mm256_unpacklo_pd(rows[i], rows[i + 1]);
      pairs[i + 1] = _mm256_unpackhi_pd(rows[i], rows[i + 1]);
    }
    for (int i = 0; i < 2; ++i) {
      out[i] = _mm256_permute2f128_pd(pairs[i], pairs[i + 2], 0x20);
      out[i + 2] = _mm256_permute2f128_pd(pairs[i], pairs[i + 2], 0x31);
    }
  }
};

}  // namespace
}  // namespace torchweld::x86
