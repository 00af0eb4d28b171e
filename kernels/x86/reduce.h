// Sums over contiguous rows, f32.
#pragma once

#include <cstdint>

namespace torchweld::x86 {

/// out[r] = the sum of x[r * row_stride .. + n), for each of `rows` rows, on one thread.
///
/// Numerics f32, in the order of ATen's cascade sum, so the error grows with log(n). 0 for n = 0;
///          NaN and infinities pass as in any sum.
/// Source   vectorized_inner_sum and scalar_inner_sum in SumKernel.cpp, LibTorch 2.11.
/// Needs    AVX2 (isa.h).
void sum_rows(const float* x, int64_t rows, int64_t n, int64_t row_stride, float* out);

}  // namespace torchweld::x86
