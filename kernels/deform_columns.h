// The columns of a deformable convolution on the host: what each tap of a filter reads at each
// position of the result, between the pixels. Not the product that follows
// (loader/deformable_conv.h).
#pragma once

#include <array>
#include <cstdint>

#include "kernels/dtype.h"
#include "kernels/kernel.h"

namespace torchweld {

/// The columns of one image. Pairs are (down, across).
///
/// Shapes  image [channels, size] by any strides; offsets [groups, taps, 2, out], dense, which say
///         how far from its own place a tap reads; mask [groups, taps, out], dense; columns
///         [channels, taps, out], dense. A group's channels lie side by side and read alike.
struct DeformShape {
  DType dtype = DType::kF32;  ///< of all operands: f32, f64 or f16
  int64_t channels = 0, groups = 1;
  std::array<int64_t, 3> image_strides{};
  std::array<int64_t, 2> size{}, filter{}, stride{}, padding{}, dilation{}, out{};

  int64_t taps() const { return filter[0] * filter[1]; }
  int64_t positions() const { return out[0] * out[1]; }
  int64_t row() const { return size[1] + 2; }  ///< of an image with its border
  int64_t plane() const { return (size[0] + 3) * row(); }
  /// Elements of the memory for the image with a border of zeros.
  int64_t bordered() const { return channels * plane(); }
};

/// Where the operands lie; mask may be null.
struct DeformPointers {
  const void *image = nullptr, *offsets = nullptr, *mask = nullptr;
  void *bordered = nullptr, *columns = nullptr;
};

/// On the host.
///
/// Numerics  torchvision's operations in their order; halves are rounded after each. A place a
/// pixel
///           or more outside of the image reads 0; one at NaN, which torchvision leaves undefined,
///           reads NaN.
/// Source    torchvision/csrc/ops/cpu/deform_conv2d_kernel.cpp
void run_deform_columns(const DeformShape& shape, const DeformPointers& pointers,
                        const ParallelFor& parallel);

}  // namespace torchweld
