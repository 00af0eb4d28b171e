// matmul for AVX2: tiles of up to twelve sums, which leave four registers for operands.
#include <immintrin.h>

#include "kernels/x86/attention_isa.h"
#include "kernels/x86/matmul_isa.h"
#include "kernels/x86/resize_isa.h"
#include "kernels/x86/winograd_isa.h"

// The tile lives in registers only when its loops are unrolled, which -O2 does not do.
#pragma GCC push_options
#pragma GCC optimize("O3")
#pragma GCC target("avx2,fma")
#include "kernels/x86/channel_tile.h"
#include "kernels/x86/dot_tile.h"
#include "kernels/x86/few_columns_tile.h"
#include "kernels/x86/matmul_tile.h"
#include "kernels/x86/narrow_tile.h"
#include "kernels/x86/plane_tile.h"
#include "kernels/x86/resize_tile.h"
#include "kernels/x86/row_tile.h"
#include "kernels/x86/transpose.h"
#include "kernels/x86/weight_tile.h"
#include "kernels/x86/winograd_tile.h"

namespace torchweld::x86 {
namespace {

struct Avx2 {
  using V = __m256;
  static constexpr int kLanes = 8;
  static constexpr bool kHasHalves = false;
  static V zero() { return _mm256_setzero_ps(); }
  static V all(float x) { return _mm256_set1_ps(x); }
  static V load(const float* p) { return _mm256_loadu_ps(p); }
  static void store(float* p, V value) { _mm256_storeu_ps(p, value); }
  static V add(V a, V b) { return _mm256_add_ps(a, b); }
  static V sub(V a, V b) { return _mm256_sub_ps(a, b); }
  static bool has_nan(V a) { return _mm256_movemask_ps(_mm256_cmp_ps(a, a, _CMP_UNORD_Q)) != 0; }
  static V mul(V a, V b) { return _mm256_mul_ps(a, b); }
  static V round(V a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  /// a * 2^n for whole n of -127, which gives 0, to 127.
  static V scale(V a, V n) {
    const __m256i power =
        _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    return _mm256_mul_ps(a, _mm256_castsi256_ps(power));
  }
  static constexpr float kLeastExp = -88.03f;  // scale() takes no less
  static V div(V a, V b) { return _mm256_div_ps(a, b); }
  static V either(V a, V b) { return _mm256_or_ps(a, b); }
  static V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
  /// sum + a * b, in the sum's register: moves between registers take a tenth of an unrolled loop.
  static V add_product(V sum, V a, V b) {
    asm("vfmadd231ps %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
    return sum;
  }
  /// a * b, which the compiler doesn't make one instruction with a sum.
  static V rounded_product(V a, V b) {
    V product = mul(a, b);
    asm("" : "+x"(product));
    return product;
  }
  static V max(V a, V b) { return _mm256_max_ps(a, b); }  // b where one of them is NaN
  static V min(V a, V b) { return _mm256_min_ps(a, b); }
  /// Of 1, 2 or 4 vectors of elements those at these places, counted from `base`.
  template <int kVectors>
  static V pick(const V* from, const int32_t* at, int32_t base) {
    const __m256i places = _mm256_sub_epi32(ints(at), _mm256_set1_epi32(base));
    const auto of = [&](int i) { return _mm256_permutevar8x32_ps(from[i], places); };
    const auto bit = [&](int shift) {
      return _mm256_castsi256_ps(_mm256_slli_epi32(places, shift));  // its sign is what counts
    };
    if constexpr (kVectors == 1) return of(0);
    const V low = _mm256_blendv_ps(of(0), of(1), bit(28));
    if constexpr (kVectors == 2) return low;
    return _mm256_blendv_ps(low, _mm256_blendv_ps(of(2), of(3), bit(28)), bit(27));
  }
  static V gather(const float* p, const int32_t* at) {
    const __m256i places = ints(at), none = _mm256_srai_epi32(places, 31);
    return _mm256_mask_i32gather_ps(zero(), p, places, _mm256_castsi256_ps(~none), 4);
  }
  /// 0 for places that are negative.
  static V only_places(V value, const int32_t* at) {
    return _mm256_andnot_ps(_mm256_castsi256_ps(_mm256_srai_epi32(ints(at), 31)), value);
  }
  static __m256i ints(const int32_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static __m256i first(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  /// The first n lanes of a, the others of b.
  static V first_or(V a, int n, V b) {
    return _mm256_blendv_ps(b, a, _mm256_castsi256_ps(first(n)));
  }
  /// By lane, `yes` where one of the n bytes at p isn't 0, `no` elsewhere.
  static V where(const uint8_t* p, int n, V yes, V no) {
    alignas(8) uint8_t some[8] = {};
    for (int i = 0; i < n && n < kLanes; ++i) some[i] = p[i];
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(n < kLanes ? some : p));
    const __m256i is_zero = _mm256_cmpeq_epi32(_mm256_cvtepu8_epi32(bytes), _mm256_setzero_si256());
    return _mm256_blendv_ps(yes, no, _mm256_castsi256_ps(is_zero));
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
  static float sum(V a) { return _mm_cvtss_f32(sum_of(a)); }
  static float largest(V a) {
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
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

void rounded_avx2(const MatmulCall& call) {
  if (call.panel == 8) {
    rounded_columns<Avx2, 8, 1>(call);
  } else if (call.panel == 16) {
    rounded_columns<Avx2, 16, 2>(call);
  } else {
    rounded_columns<Avx2, 32, 2>(call);
  }
}

void row_avx2(const MatmulCall& call) {
  if (call.panel == 8) {
    row_columns<Avx2, 8, 1>(call);
  } else if (call.panel == 16) {
    row_columns<Avx2, 16, 2>(call);
  } else {
    row_columns<Avx2, 32, 2>(call);
  }
}

void dot_avx2(const MatmulCall& call) { dot_product<Avx2>(call); }

void few_columns_avx2(const MatmulCall& call) { few_columns<Avx2>(call); }

void weigh_avx2(const WeightRows& w) { weigh<Avx2>(w); }

void divide_avx2(const WeightRows& w, float* out, int64_t out_stride) {
  divide<Avx2>(w, out, out_stride);
}

void pack_transposed_avx2(const float* from, int64_t row_stride, int64_t rows, int64_t columns,
                          int64_t panel, float* to) {
  for (int64_t first = 0; first < rows; first += panel, to += columns * panel) {
    for (int64_t j = 0; j < panel; j += 8) {
      const int64_t count = rows - first - j < 8 ? rows - first - j : 8;
      for (int64_t c = 0; c < columns; c += 8) {
        const int64_t width = columns - c < 8 ? columns - c : 8;
        __m256 tile[8];
        for (int i = 0; i < 8; ++i) {
          const float* row = from + (first + j + i) * row_stride + c;
          tile[i] = i >= count   ? Avx2::zero()
                    : width == 8 ? Avx2::load(row)
                                 : Avx2::load_first(row, static_cast<int>(width));
        }
        transpose(tile);
        for (int i = 0; i < 8 && i < width; ++i) Avx2::store(to + (c + i) * panel + j, tile[i]);
      }
    }
  }
}

void by_channel_avx2(const ImageConvCall& call, int64_t begin, int64_t end) {
  channel_rows<Avx2>(call, begin, end);
}

void by_plane_avx2(const ImageConvCall& call, int64_t begin, int64_t end) {
  plane_rows<Avx2>(call, begin, end);
}

void narrow_avx2(const NarrowCall& call, int64_t begin, int64_t end) {
  narrow_rows<Avx2>(call, begin, end);
}

void transform_tiles_avx2(const WinogradTiles& tiles) { transform_tiles<Avx2>(tiles); }

void finish_tiles_avx2(const WinogradTiles& tiles, int64_t column) {
  finish_tiles<Avx2>(tiles, column);
}

void resize_planes_avx2(const ResizeWork& w, int64_t begin, int64_t end) {
  resize_planes<Avx2>(w, begin, end);
}

void resize_pixels_avx2(const ResizeWork& w, int64_t begin, int64_t end) {
  resize_pixels<Avx2>(w, begin, end);
}

}  // namespace torchweld::x86
#pragma GCC pop_options
