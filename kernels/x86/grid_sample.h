// Images read between their pixels where a grid says: grid_sampler of two dims, by AVX2.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/kernel.h"

namespace torchweld::x86 {

/// What lies outside an image: zeros, its nearest pixel, or the image mirrored.
enum class Outside : uint8_t { kZeros, kBorder, kReflection };

/// One call, float32.
///
/// Shapes    image [N, C, H, W], grid [N, rows, cols, 2] of x and y, out [N, C, rows, cols]; any
///           strides, in elements. An image of one channel spans less than 2^31 elements.
/// Numerics  as LibTorch's: coordinates from -1 to 1, which are the outer pixels' centres
///           (`from_centres`) or edges. Where a coordinate is no number the result is none.
struct GridSampleShape {
  bool nearest = false;  ///< otherwise bilinear
  Outside outside = Outside::kZeros;
  bool from_centres = false;
  int64_t images = 0, channels = 0, height = 0, width = 0, rows = 0, cols = 0;
  std::array<int64_t, 4> image_strides{}, grid_strides{}, out_strides{};
};

/// Memory  out overlaps neither operand.
void grid_sample(const GridSampleShape& shape, const float* image, const float* grid, float* out,
                 const ParallelFor& parallel);

}  // namespace torchweld::x86
