// The products of matmul and what image_conv does channel by channel, one file an instruction
// set. Uses nothing of the standard library, so that no shared inline function is ever compiled
// with instructions that a processor may lack.
#pragma once

#include "kernels/x86/image_conv.h"
#include "kernels/x86/matmul.h"

namespace torchweld::x86 {

void matmul_avx2(const MatmulCall& call);  ///< of packed weights
void matmul_avx512(const MatmulCall& call);
/// One row of one stretch, of packed weights, summed as MKL does on AMD processors.
void row_avx2(const MatmulCall& call);
void row_avx512(const MatmulCall& call);
/// Rows of one stretch, of packed weights, where the order rounds products.
void rounded_avx2(const MatmulCall& call);
void rounded_avx512(const MatmulCall& call);
/// All columns, of packed weights in panels of one or of weights as they are.
void few_columns_avx2(const MatmulCall& call);
void few_columns_avx512(const MatmulCall& call);
/// Of weights as they are, on both: memory is the limit.
void dot_avx2(const MatmulCall& call);

/// Panels of a matrix [columns, rows] whose columns are contiguous, `row_stride` apart; see
/// pack_into().
void pack_transposed_avx2(const float* from, int64_t row_stride, int64_t rows, int64_t columns,
                          int64_t panel, float* to);

/// Rows [begin, end) of the result, those of all images. With AVX-512, panels of 16 or more.
void by_channel_avx2(const ImageConvCall& call, int64_t begin, int64_t end);
void by_channel_avx512(const ImageConvCall& call, int64_t begin, int64_t end);

/// The same of planes, which have their padding in memory.
void by_plane_avx2(const ImageConvCall& call, int64_t begin, int64_t end);
void by_plane_avx512(const ImageConvCall& call, int64_t begin, int64_t end);

/// As many elements as whole vectors have of two, of three and of four channels.
inline constexpr int64_t kNarrow = 48;

/// Filters by channel of an image of so few, with their padding in memory.
struct NarrowCall {
  ImageConvCall call;
  const float* taps = nullptr;  ///< [pixels, kNarrow], each channel's again and again
  const float *scale = nullptr, *bias = nullptr;  ///< [kNarrow], too
};
void narrow_avx2(const NarrowCall& call, int64_t begin, int64_t end);
void narrow_avx512(const NarrowCall& call, int64_t begin, int64_t end);

}  // namespace torchweld::x86
