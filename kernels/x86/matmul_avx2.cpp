// matmul for AVX2: tiles of up to twelve sums, which leave four registers for operands.
#include <immintrin.h>

#include "kernels/x86/matmul_isa.h"

// The tile lives in registers only when its loops are unrolled, which -O2 does not do.
#pragma GCC push_options
#pragma GCC optimize("O3")
#pragma GCC target("avx2,fma")
#include "kernels/x86/channel_tile.h"
#include "kernels/x86/dot_tile.h"
#include "kernels/x86/matmul_tile.h"

namespace torchweld::x86 {
namespace {

struct Avx2 {
  using V = __m256;
  static constexpr int kLanes = 8;
  static V zero() { return _mm256_setzero_ps(); }
  static V all(float x) { return _mm256_set1_ps(x); }
  static V load(const float* p) { return _mm256_loadu_ps(p); }
  static void store(float* p, V value) { _mm256_storeu_ps(p, value); }
  static V add(V a, V b) { return _mm256_add_ps(a, b); }
  static V div(V a, V b) { return _mm256_div_ps(a, b); }
  static V either(V a, V b) { return _mm256_or_ps(a, b); }
  static V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
  static V max(V a, V b) { return _mm256_max_ps(a, b); }  // b where one of them is NaN
  static V min(V a, V b) { return _mm256_min_ps(a, b); }
  static __m256i first(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static V load_first(const float* p, int n) { return _mm256_maskload_ps(p, first(n)); }
  // Masked stores are many times slower than others on some processors.
  static void store_first(float* p, V value, int n) {
    if (n >= kLanes) {
      store(p, value);
    } else if (n > 0) {
      _mm256_maskstore_ps(p, first(n), value);
    }
  }
  static __m128 sums_of(V a, V b, V c, V d) {
    const V sums = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
    return _mm_add_ps(_mm256_castps256_ps128(sums), _mm256_extractf128_ps(sums, 1));
  }
  static __m128 sum_of(V a) {
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_add_ss(two, _mm_movehdup_ps(two));
  }
};

}  // namespace

void matmul_avx2(const MatmulCall& call) {
  if (call.panel == 8) {
    matmul_blocks<Avx2, 8, 1, 12>(call);
  } else if (call.panel == 16) {
    matmul_blocks<Avx2, 16, 2, 6>(call);
  } else if (call.m <= 2) {
    matmul_blocks<Avx2, 32, 4, 2>(call);
  } else {
    matmul_blocks<Avx2, 32, 2, 6>(call);
  }
}

void dot_avx2(const MatmulCall& call) { dot_product<Avx2>(call); }

void by_channel_avx2(const ImageConvCall& call, int64_t begin, int64_t end) {
  channel_rows<Avx2>(call, begin, end);
}

}  // namespace torchweld::x86
#pragma GCC pop_options
