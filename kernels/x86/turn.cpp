#include "kernels/x86/turn.h"

#include <immintrin.h>

#include <cstring>

#pragma GCC push_options
#pragma GCC optimize("O3")
#pragma GCC target("avx2,fma")
#include "kernels/x86/transpose.h"

namespace torchweld::x86 {
namespace {

template <class Element>
void turn_one_by_one(const char* from, int64_t from_pitch, int64_t rows, int64_t columns, char* to,
                     int64_t to_pitch) {
  for (int64_t c = 0; c < columns; ++c) {
    for (int64_t r = 0; r < rows; ++r) {
      std::memcpy(to + c * to_pitch + r * static_cast<int64_t>(sizeof(Element)),
                  from + r * from_pitch + c * static_cast<int64_t>(sizeof(Element)),
                  sizeof(Element));
    }
  }
}

/// Where eight are not left.
struct FourFloats {
  using Element = float;
  static constexpr int64_t kSide = 4;
  static void turn(const char* from, int64_t from_pitch, char* to, int64_t to_pitch) {
    __m128 r[4];
    for (int i = 0; i < 4; ++i)
      r[i] = _mm_loadu_ps(reinterpret_cast<const float*>(from + i * from_pitch));
    _MM_TRANSPOSE4_PS(r[0], r[1], r[2], r[3]);
    for (int i = 0; i < 4; ++i) _mm_storeu_ps(reinterpret_cast<float*>(to + i * to_pitch), r[i]);
  }
};

struct Floats {
  using Element = float;
  using Rest = FourFloats;
  static constexpr int64_t kSide = 8;
  static void turn(const char* from, int64_t from_pitch, char* to, int64_t to_pitch) {
    __m256 r[8];
    for (int i = 0; i < 8; ++i)
      r[i] = _mm256_loadu_ps(reinterpret_cast<const float*>(from + i * from_pitch));
    transpose(r);
    for (int i = 0; i < 8; ++i) _mm256_storeu_ps(reinterpret_cast<float*>(to + i * to_pitch), r[i]);
  }
};

struct Doubles {
  using Element = double;
  static constexpr int64_t kSide = 4;
  static void turn(const char* from, int64_t from_pitch, char* to, int64_t to_pitch) {
    __m256d r[4], pairs[4];
    for (int i = 0; i < 4; ++i)
      r[i] = _mm256_loadu_pd(reinterpret_cast<const double*>(from + i * from_pitch));
    for (int i = 0; i < 4; i += 2) {
      pairs[i] = _mm256_unpacklo_pd(r[i], r[i + 1]);
      pairs[i + 1] = _mm256_unpackhi_pd(r[i], r[i + 1]);
    }
    for (int i = 0; i < 2; ++i) {
      r[i] = _mm256_permute2f128_pd(pairs[i], pairs[i + 2], 0x20);
      r[i + 2] = _mm256_permute2f128_pd(pairs[i], pairs[i + 2], 0x31);
    }
    for (int i = 0; i < 4; ++i)
      _mm256_storeu_pd(reinterpret_cast<double*>(to + i * to_pitch), r[i]);
  }
};

struct Halves {
  using Element = uint16_t;
  static constexpr int64_t kSide = 8;
  static void turn(const char* from, int64_t from_pitch, char* to, int64_t to_pitch) {
    __m128i r[8], pairs[8], fours[8];
    for (int i = 0; i < 8; ++i)
      r[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i * from_pitch));
    for (int i = 0; i < 8; i += 2) {
      pairs[i] = _mm_unpacklo_epi16(r[i], r[i + 1]);
      pairs[i + 1] = _mm_unpackhi_epi16(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
      for (int half = 0; half < 2; ++half) {
        fours[i + 2 * half] = _mm_unpacklo_epi32(pairs[i + half], pairs[i + 2 + half]);
        fours[i + 2 * half + 1] = _mm_unpackhi_epi32(pairs[i + half], pairs[i + 2 + half]);
      }
    }
    for (int i = 0; i < 4; ++i) {
      r[2 * i] = _mm_unpacklo_epi64(fours[i], fours[i + 4]);
      r[2 * i + 1] = _mm_unpackhi_epi64(fours[i], fours[i + 4]);
    }
    for (int i = 0; i < 8; ++i)
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i * to_pitch), r[i]);
  }
};

template <class Block>
void turn_blocks(const char* from, int64_t from_pitch, int64_t rows, int64_t columns, char* to,
                 int64_t to_pitch);

template <class Block>
void turn_rest(const char* from, int64_t from_pitch, int64_t rows, int64_t columns, char* to,
               int64_t to_pitch) {
  if constexpr (requires { typename Block::Rest; }) {
    turn_blocks<typename Block::Rest>(from, from_pitch, rows, columns, to, to_pitch);
  } else {
    turn_one_by_one<typename Block::Element>(from, from_pitch, rows, columns, to, to_pitch);
  }
}

// The side whose lines are far apart has each of them finished before the next.
template <class Block>
void turn_blocks(const char* from, int64_t from_pitch, int64_t rows, int64_t columns, char* to,
                 int64_t to_pitch) {
  constexpr int64_t kSide = Block::kSide;
  constexpr int64_t kBytes = sizeof(typename Block::Element);
  const int64_t whole_rows = rows / kSide * kSide, whole_columns = columns / kSide * kSide;
  const auto block = [&](int64_t r, int64_t c) {
    Block::turn(from + r * from_pitch + c * kBytes, from_pitch, to + c * to_pitch + r * kBytes,
                to_pitch);
  };
  if (from_pitch >= to_pitch) {
    for (int64_t r = 0; r < whole_rows; r += kSide) {
      for (int64_t c = 0; c < whole_columns; c += kSide) block(r, c);
    }
  } else {
    for (int64_t c = 0; c < whole_columns; c += kSide) {
      for (int64_t r = 0; r < whole_rows; r += kSide) block(r, c);
    }
  }
  turn_rest<Block>(from + whole_columns * kBytes, from_pitch, whole_rows, columns - whole_columns,
                   to + whole_columns * to_pitch, to_pitch);
  turn_rest<Block>(from + whole_rows * from_pitch, from_pitch, rows - whole_rows, columns,
                   to + whole_rows * kBytes, to_pitch);
}

}  // namespace

void turn(int64_t element_bytes, const char* from, int64_t from_pitch, int64_t rows,
          int64_t columns, char* to, int64_t to_pitch) {
  if (element_bytes == 4) return turn_blocks<Floats>(from, from_pitch, rows, columns, to, to_pitch);
  if (element_bytes == 8)
    return turn_blocks<Doubles>(from, from_pitch, rows, columns, to, to_pitch);
  if (element_bytes == 2) return turn_blocks<Halves>(from, from_pitch, rows, columns, to, to_pitch);
  turn_one_by_one<char>(from, from_pitch, rows, columns, to, to_pitch);
}

}  // namespace torchweld::x86
#pragma GCC pop_options
