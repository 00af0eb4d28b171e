// Regions of images: torchvision's roi_align and roi_pool, and ps_roi_align and ps_roi_pool, whose
// cells read a channel each. Not a spec: which pixels a region covers
// is data. What is asked for is here, and the host's kernel; the device's: cuda/regions.h.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/kernel.h"

namespace torchweld {

enum class RegionMode : uint8_t { kAlign, kPool, kSensitiveAlign, kSensitivePool };

/// One call of these.
///
/// Shapes  images [images, channels, height, width] and regions [regions, 5] (image, left, top,
///         right, bottom) by any strides; out [regions, out_channels(), out_height, out_width],
///         dense; places, of out's shape, int32: where kPool found its pixel, and the channel that
///         a cell of the sensitive modes reads.
struct RegionShape {
  DType dtype = DType::kF32;  ///< of images, regions and out: f32, f64 or f16
  RegionMode mode = RegionMode::kAlign;
  int64_t images = 0, channels = 0, height = 0, width = 0;
  std::array<int64_t, 4> image_strides{};
  int64_t regions = 0;
  std::array<int64_t, 2> region_strides{};
  int64_t out_height = 0, out_width = 0;
  double scale = 1;
  int64_t sampling =
      0;  ///< the aligns: samples by a cell's side; 0 and below: as many as its pixels
  bool aligned = false;  ///< kAlign: pixels are half a pixel to the right and down

  bool sensitive() const { return mode >= RegionMode::kSensitiveAlign; }
  int64_t out_channels() const {
    return sensitive() ? channels / (out_height * out_width) : channels;
  }
  int64_t cells() const { return out_channels() * out_height * out_width; }  ///< of one region
};

/// Where the operands lie; places may be null.
struct RegionPointers {
  const void *images = nullptr, *regions = nullptr;
  void* out = nullptr;
  int32_t* places = nullptr;
};

/// On the host.
///
/// Numerics  torchvision's operations in their order; halves are rounded after each. A region whose
///           image isn't there gives 0. What torchvision leaves undefined: a cell without a finite
///           length has no samples, a sample at NaN is NaN, NaN as a pixel's number is 0.
/// Source    torchvision/csrc/ops/cpu/, roi_align_kernel.cpp and its neighbours
void run_regions(const RegionShape& shape, const RegionPointers& pointers,
                 const ParallelFor& parallel);

}  // namespace torchweld
