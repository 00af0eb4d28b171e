// Small matrices of any element type, transposed.
#pragma once

#include <cstdint>

namespace torchweld::x86 {

/// to[c][r] = from[r][c], elements of 1, 2, 4 or 8 bytes; pitches in bytes. Needs AVX2.
void turn(int64_t element_bytes, const char* from, int64_t from_pitch, int64_t rows,
          int64_t columns, char* to, int64_t to_pitch);

}  // namespace torchweld::x86
