// matmul for AVX-512: tiles of up to sixteen sums, which fill half of the registers.
#include <immintrin.h>

#include "kernels/x86/attention_isa.h"
#include "kernels/x86/matmul_isa.h"
#include "kernels/x86/resize_isa.h"
#include "kernels/x86/winograd_isa.h"

// The tile lives in registers only when its loops are unrolled, which -O2 does not do.
#pragma GCC push_options
#pragma GCC optimize("O3")
#pragma GCC target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")
#include "kernels/x86/channel_tile.h"
#include "kernels/x86/few_columns_tile.h"
#include "kernels/x86/matmul_tile.h"
#include "kernels/x86/narrow_tile.h"
#include "kernels/x86/plane_tile.h"
#include "kernels/x86/resize_tile.h"
#include "kernels/x86/row_tile.h"
#include "kernels/x86/weight_tile.h"
#include "kernels/x86/winograd_tile.h"

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
  static V sub(V a, V b) { return _mm512_sub_ps(a, b); }
  static bool has_nan(V a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q) != 0; }
  static V mul(V a, V b) { return _mm512_mul_ps(a, b); }
  static V round(V a) {
    return _mm512_maskz_roundscale_ps(0xffff, a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static V scale(V a, V n) { return _mm512_maskz_scalef_ps(0xffff, a, n); }  ///< a * 2^n
  static constexpr float kLeastExp = -200;  // which scale() makes 0
  static V div(V a, V b) { return _mm512_div_ps(a, b); }
  static V either(V a, V b) { return _mm512_or_ps(a, b); }
  static V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
  /// sum + a * b, in the sum's register: moves between registers take a tenth of an unrolled loop.
  static V add_product(V sum, V a, V b) {
    asm("vfmadd231ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
  }
  static constexpr bool kHasHalves = true;
  /// The first half of sum + a * b.
  static V add_half_product(V sum, V a, V b) {
    asm("vfmadd231ps %t2, %t1, %t0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
  }
  static V all_of_half(float x) { return _mm512_castps256_ps512(_mm256_set1_ps(x)); }
  /// a * b, which the compiler doesn't make one instruction with a sum.
  static V rounded_product(V a, V b) {
    V product = mul(a, b);
    asm("" : "+v"(product));
    return product;
  }
  // b where one of them is NaN. GCC 12 warns of the forms without a mask.
  static V max(V a, V b) { return _mm512_maskz_max_ps(0xffff, a, b); }
  static V min(V a, V b) { return _mm512_maskz_min_ps(0xffff, a, b); }
  template <int kHalf>
  static __m256 half(V a) {
    return _mm512_maskz_extractf32x8_ps(0xff, a, kHalf);
  }
  static __m256 by_halves(V a) { return _mm256_add_ps(half<0>(a), half<1>(a)); }
  static float sum(V a) {
    const __m256 eight = by_halves(a);
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  static __m128 sums_of(V a, V b, V c, V d) {
    const __m256 sums = _mm256_hadd_ps(_mm256_hadd_ps(by_halves(a), by_halves(b)),
                                       _mm256_hadd_ps(by_halves(c), by_halves(d)));
    return _mm_add_ps(_mm256_castps256_ps128(sums), _mm256_extractf128_ps(sums, 1));
  }
  static float largest(V a) {
    const __m256 eight = _mm256_max_ps(half<0>(a), half<1>(a));
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
  }
  static __mmask16 first(int n) {
    return static_cast<__mmask16>(n >= 16 ? 0xffff : n <= 0 ? 0 : (1 << n) - 1);
  }
  /// Of 1, 2 or 4 vectors of elements those at these places, counted from `base`.
  template <int kVectors>
  static V pick(const V* from, const int32_t* at, int32_t base) {
    const __m512i places = _mm512_sub_epi32(_mm512_loadu_si512(at), _mm512_set1_epi32(base));
    if constexpr (kVectors == 1) return _mm512_maskz_permutexvar_ps(0xffff, places, from[0]);
    const V low = _mm512_permutex2var_ps(from[0], places, from[1]);
    if constexpr (kVectors == 2) return low;
    const __mmask16 is_high = _mm512_test_epi32_mask(places, _mm512_set1_epi32(32));
    return _mm512_mask_mov_ps(low, is_high, _mm512_permutex2var_ps(from[2], places, from[3]));
  }
  static V gather(const float* p, const int32_t* at) {
    return _mm512_mask_i32gather_ps(zero(), places_in(at), _mm512_loadu_si512(at), p, 4);
  }
  /// 0 for places that are negative.
  static V only_places(V value, const int32_t* at) {
    return _mm512_maskz_mov_ps(places_in(at), value);
  }
  static __mmask16 places_in(const int32_t* at) {
    return _mm512_cmpge_epi32_mask(_mm512_loadu_si512(at), _mm512_setzero_si512());
  }
  /// The first n lanes of a, the others of b.
  static V first_or(V a, int n, V b) { return _mm512_mask_mov_ps(b, first(n), a); }
  /// By lane, `yes` where one of the n bytes at p isn't 0, `no` elsewhere.
  static V where(const uint8_t* p, int n, V yes, V no) {
    const __m128i bytes = _mm_maskz_loadu_epi8(first(n), p);
    return _mm512_mask_mov_ps(no, _mm_test_epi8_mask(bytes, bytes), yes);
  }
  static V load_first(const float* p, int n) { return _mm512_maskz_loadu_ps(first(n), p); }
  static void store_first(float* p, V value, int n) { _mm512_mask_storeu_ps(p, first(n), value); }
};

}  // namespace

void matmul_avx512(const MatmulCall& call) {
  if (call.panel == 8) {
    matmul_avx2(call);  // half of a wide vector would be padding
  } else if (call.panel == 16) {
    matmul_blocks<Avx512, 16, 1, 8>(call);
  } else {
    matmul_blocks<Avx512, 32, 2, 8>(call);
  }
}

void rounded_avx512(const MatmulCall& call) {
  if (call.panel == 8) {
    rounded_avx2(call);
  } else if (call.panel == 16) {
    rounded_columns<Avx512, 16, 1>(call);
  } else {
    rounded_columns<Avx512, 32, 2>(call);
  }
}

void row_avx512(const MatmulCall& call) {
  if (call.panel == 8) {
    row_avx2(call);
  } else if (call.panel == 16) {
    row_columns<Avx512, 16, 1>(call);
  } else {
    row_columns<Avx512, 32, 2>(call);
  }
}

void few_columns_avx512(const MatmulCall& call) { few_columns<Avx512>(call); }

void weigh_avx512(const WeightRows& w) { weigh<Avx512>(w); }

void divide_avx512(const WeightRows& w, float* out, int64_t out_stride) {
  divide<Avx512>(w, out, out_stride);
}

void by_channel_avx512(const ImageConvCall& call, int64_t begin, int64_t end) {
  channel_rows<Avx512>(call, begin, end);
}

void by_plane_avx512(const ImageConvCall& call, int64_t begin, int64_t end) {
  plane_rows<Avx512>(call, begin, end);
}

void narrow_avx512(const NarrowCall& call, int64_t begin, int64_t end) {
  narrow_rows<Avx512>(call, begin, end);
}

void transform_tiles_avx512(const WinogradTiles& tiles) { transform_tiles<Avx512>(tiles); }

void finish_tiles_avx512(const WinogradTiles& tiles, int64_t column) {
  finish_tiles<Avx512>(tiles, column);
}

void resize_planes_avx512(const ResizeWork& w, int64_t begin, int64_t end) {
  resize_planes<Avx512>(w, begin, end);
}

void resize_pixels_avx512(const ResizeWork& w, int64_t begin, int64_t end) {
  resize_pixels<Avx512>(w, begin, end);
}

}  // namespace torchweld::x86
#pragma GCC pop_options
