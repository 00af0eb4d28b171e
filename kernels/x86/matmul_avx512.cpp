// small_matmul for AVX-512: tiles of up to sixteen sums, which fill half of the registers.
#include <immintrin.h>

#include "kernels/x86/matmul_isa.h"

// The tile lives in registers only when its loops are unrolled, which -O2 does not do.
#pragma GCC push_options
#pragma GCC optimize("O3")
#pragma GCC target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")
#include "kernels/x86/matmul_tile.h"

namespace torchweld::x86 {
namespace {

struct Avx512 {
  using V = __m512;
  static constexpr int kLanes = 16;
  static V zero() { return _mm512_setzero_ps(); }
  static V all(float x) { return _mm512_set1_ps(x); }
  static V load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, V value) { _mm512_storeu_ps(p, value); }
  static V add(V a, V b) { return _mm512_add_ps(a, b); }
  static V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
  // The second operand where it is NaN. GCC 12 warns of the form without a mask.
  static V relu(V x) { return _mm512_maskz_max_ps(0xffff, zero(), x); }
  static __mmask16 first(int n) {
    return static_cast<__mmask16>(n >= 16 ? 0xffff : n <= 0 ? 0 : (1 << n) - 1);
  }
  static V load_first(const float* p, int n) { return _mm512_maskz_loadu_ps(first(n), p); }
  static void store_first(float* p, V value, int n) { _mm512_mask_storeu_ps(p, first(n), value); }
};

}  // namespace

void matmul_avx512(const MatmulCall& call) {
  if (call.panel == 8) {
    matmul_columns<Avx512, 8, 1, 8>(call);
  } else if (call.panel == 16) {
    matmul_columns<Avx512, 16, 1, 8>(call);
  } else {
    matmul_columns<Avx512, 32, 2, 8>(call);
  }
}

}  // namespace torchweld::x86
#pragma GCC pop_options
