// Sums over contiguous rows, f32.
#pragma once

#include <cstdint>

namespace torchweld::x86 {

/// out[r] = the sum of x[r * row_stride .. + n), for each of `rows` rows, on one thread.
///
/// Numerics f32; blocks of 128 lanes' sums are added pairwise, so the error grows with log(n) as in
/// ATen's
///          cascade sum. 0 for n = 0; NaN and infinities pass as in any sum.
/// Needs    AVX2 (isa.h).
void sum_rows(const float* x, int64_t rows, int64_t n, int64_t row_stride, float* out);

}  // namespace torchweld::x86
