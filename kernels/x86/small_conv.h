// Convolutions with few output positions, f32, by hand: there the weights' traffic is all the work,
// and a library reorders them on every call.
#pragma once

#include "kernels/x86/conv_shape.h"
#include "kernels/x86/matmul.h"

namespace torchweld::x86 {

/// Whether the rows of the product lie in the input as they are.
bool reads_in_place(const ConvShape& shape);
inline bool writes_in_place(const ConvShape& shape) {
  return shape.out_height * shape.out_width == 1;
}
int64_t small_conv_scratch_floats(const ConvShape& shape);

/// out = conv(x, w) + bias, on one thread.
///
/// Shapes   x by its strides, w packed as [taps, out_channels] (pack() of the weight [out_channels,
/// taps], transposed),
///          out [batch, out_channels, out_height, out_width] contiguous, bias [out_channels] or
///          null.
/// Memory   `scratch` holds small_conv_scratch_floats(); nothing is allocated.
/// Numerics as matmul.
void small_conv(const ConvShape& shape, const float* x, const PackedMatrix& w, const float* bias,
                float* out, float* scratch);

}  // namespace torchweld::x86
