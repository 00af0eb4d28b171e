// Convolutions and poolings of images whose channels are innermost, f32, by hand: products of
// packed weights over stretches of the image, one filter a channel, windows. What follows is done
// in registers.
#pragma once

#include "kernels/x86/conv_shape.h"
#include "kernels/x86/matmul.h"

namespace torchweld::x86 {

/// out = clamp(op(x, w) * scale + bias + summand), or without what isn't there.
///
/// Shapes   x by its strides, out and summand [batch, out_height, out_width, out_channels]
///          contiguous, scale and bias [out_channels]; w packed as [taps, out_channels], of which
///          the taps are [kernel_height, kernel_width, in_channels / groups], or without channels
///          where depthwise; null for poolings; of few filters and of planes in panels of one. But
///          for dense convolutions, x's channels are contiguous.
/// Memory   `scratch` holds image_conv_scratch_floats(); nothing is allocated. `summand` may be
///          `out`, nothing else may overlap it.
/// Numerics as matmul, of few filters by lanes of channels; else each sum in the order of its taps,
///          of planes and channels. NaN is a maximum.
struct ImageConvCall {
  ConvShape shape;
  const float* x = nullptr;
  const float* w = nullptr;
  int64_t panel = 0;
  const float* scale = nullptr;  ///< not of poolings
  const float* bias = nullptr;
  const float* summand = nullptr;
  bool clamps = false;
  Clamp clamp;
  float* out = nullptr;
  float* scratch = nullptr;
  /// Rows and columns of the image that are zeros, on either side: padding in memory.
  int64_t zeros_above = 0, zeros_below = 0, zeros_left = 0, zeros_right = 0;
};

/// With `after`, if that isn't empty, for all positions, which are rows of out_channels.
/// Needs  AVX2 and FMA (isa.h).
void image_conv(const ImageConvCall& call, const SplitWork& parallel, const AfterRows& after = {});

/// What a padded copy of the image takes, or one with its channels innermost, and the places of a
/// row's elements, or a row's weights; 0 where there is none of them.
int64_t image_conv_scratch_floats(const ConvShape& shape);

}  // namespace torchweld::x86
