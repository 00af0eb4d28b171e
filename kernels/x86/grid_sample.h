// Images and volumes read at places that a grid of coordinates names, by hand on the host:
// grid_sampler. What it is not: resizes, whose places follow from sizes (resize.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/kernel.h"

namespace torchweld::x86 {

enum class Interpolation : uint8_t { kBilinear, kNearest, kBicubic };
enum class GridPadding : uint8_t { kZeros, kBorder, kReflection };

/// One launch.
///
/// Shapes   x [N, C, (D,) H, W], grid [N, (D,) H, W, dims] and the result [N, C, (D,) H, W], each
/// by
///          its strides, in elements; dims are counted from the innermost, as coordinates are: x,
///          y, z. All of float32 or float64. Bicubic is for two dims.
/// Numerics ATen's operations in their order and fused where its build fuses them, so to the bit;
///          but of bicubic, where that follows no rule, within rounding. NaN and infinity as ATen:
///          with two dims they give NaN where places outside are zeros, and a border holds pixel 0;
///          with three dims 0 and the last pixel.
/// Source   ATen/native/cpu/GridSamplerKernel.cpp, for three dims ATen/native/GridSampler.cpp
struct GridSample {
  static constexpr size_t kMostDims = 3;

  DType dtype = DType::kF32;
  Interpolation mode = Interpolation::kBilinear;
  GridPadding padding = GridPadding::kZeros;
  bool align_corners = false;  ///< -1 and 1 are the centres of the outermost pixels, or their edges
  size_t dims = 2;
  int64_t images = 0, channels = 0;
  /// An image's elements lie less than 2^31 apart.
  int64_t x_sizes[kMostDims] = {1, 1, 1}, x_strides[kMostDims] = {};
  int64_t x_image = 0, x_channel = 0;
  int64_t grid_sizes[kMostDims] = {1, 1, 1}, grid_strides[kMostDims] = {};
  int64_t grid_image = 0, grid_coordinate = 0;
  int64_t out_image = 0, out_channel = 0, out_pixel = 0;  ///< a pixel follows the other

  int64_t pixels() const { return grid_sizes[0] * grid_sizes[1] * grid_sizes[2]; }
  /// Of so many pixels, places are found at once for all channels.
  static constexpr int64_t kBlock = 64;
  int64_t blocks() const { return (pixels() + kBlock - 1) / kBlock; }
};

void run_grid_sample(const GridSample& call, const void* x, const void* grid, void* out,
                     const ParallelFor& parallel);

/// What run_grid_sample does for blocks [begin, end) of all images. Needs AVX2 and FMA.
void sample_blocks(const GridSample& call, const void* x, const void* grid, void* out,
                   int64_t begin, int64_t end);

}  // namespace torchweld::x86
