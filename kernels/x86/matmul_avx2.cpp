// small_matmul for AVX2: tiles of up to six rows by two vectors, which leave four registers for
// operands.
#include <immintrin.h>

#include "kernels/x86/small_matmul.h"

// The tile lives in registers only when its loops are unrolled, which -O2 does not do.
#pragma GCC push_options
#pragma GCC optimize("O3")
#pragma GCC target("avx2,fma")
#include "kernels/x86/matmul_tile.h"

namespace torchweld::x86 {
namespace {

struct Avx2 {
  using V = __m256;
  static constexpr int kLanes = 8;
  static constexpr int kMaxRows = 6;
  static V zero() { return _mm256_setzero_ps(); }
  static V all(float x) { return _mm256_set1_ps(x); }
  static V load(const float* p) { return _mm256_loadu_ps(p); }
  static V add(V a, V b) { return _mm256_add_ps(a, b); }
  static V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
  static __m256i first(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static V load_first(const float* p, int n) { return _mm256_maskload_ps(p, first(n)); }
  static void store_first(float* p, V value, int n) { _mm256_maskstore_ps(p, first(n), value); }
};

}  // namespace

void matmul_avx2(const MatmulCall& call) { matmul_columns<Avx2, 2>(call); }

}  // namespace torchweld::x86
#pragma GCC pop_options
