// Eight rows of eight floats, exchanged. For files that compile for AVX2.
#pragma once

#include <immintrin.h>

namespace torchweld::x86 {

[[gnu::always_inline]] inline void transpose(__m256 (&r)[8]) {
  __m256 pairs[8], fours[8];
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    pairs[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    for (int half = 0; half < 2; ++half) {
      const __m256 a = pairs[i + half], b = pairs[i + 2 + half];
      fours[i + 2 * half] = _mm256_shuffle_ps(a, b, _MM_SHUFFLE(1, 0, 1, 0));
      fours[i + 2 * half + 1] = _mm256_shuffle_ps(a, b, _MM_SHUFFLE(3, 2, 3, 2));
    }
  }
  for (int i = 0; i < 4; ++i) {
    r[i] = _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x20);
    r[i + 4] = _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x31);
  }
}

}  // namespace torchweld::x86
