// Convolutions with few output positions, f32, by hand: there the weights' traffic is all the work,
// and a library reorders them on every call.
#pragma once

#include <cstdint>

#include "kernels/x86/small_matmul.h"

namespace torchweld::x86 {

/// One convolution over two spatial dimensions; a 1-d convolution has height 1. No groups.
struct ConvShape {
  int64_t batch = 0, in_channels = 0, in_height = 1, in_width = 0;
  int64_t out_channels = 0, out_height = 1, out_width = 0;
  int64_t kernel_height = 1, kernel_width = 0;
  int64_t stride_height = 1, stride_width = 1, pad_height = 0, pad_width = 0, dilation_height = 1,
          dilation_width = 1;
  int64_t x_batch_stride = 0, x_channel_stride = 0, x_height_stride = 0,
          x_width_stride = 0;  ///< elements

  int64_t positions() const { return batch * out_height * out_width; }
  int64_t taps() const { return in_channels * kernel_height * kernel_width; }
  bool reads_in_place() const;  ///< rows of the product lie in the input as they are
  bool writes_in_place() const { return out_height * out_width == 1; }
  int64_t scratch_floats() const;  ///< what small_conv needs
};

/// out = conv(x, w) + bias, on one thread.
///
/// Shapes   x by its strides, w packed as [taps, out_channels] (pack() of the weight [out_channels,
/// taps], transposed),
///          out [batch, out_channels, out_height, out_width] contiguous, bias [out_channels] or
///          null.
/// Memory   `scratch` holds scratch_floats(); nothing is allocated.
/// Numerics as small_matmul.
void small_conv(const ConvShape& shape, const float* x, const PackedMatrix& w, const float* bias,
                float* out, float* scratch);

}  // namespace torchweld::x86
