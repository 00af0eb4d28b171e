// The mean of all pixels, channel by channel, in the order of LibTorch's sum of a contiguous row.
// Included by the two files that are compiled for one instruction set each; see matmul_isa.h.
#pragma once

#include <cstdint>

#include "kernels/x86/cascade_sum.h"
#include "kernels/x86/matmul_isa.h"

namespace torchweld::x86 {
namespace {

/// Whether the window of an average is all of a dense image or volume.
inline bool is_mean_of_image(const ConvShape& s) {
  return s.op == ImageOp::kAveragePool && s.out_depth == 1 && s.out_height == 1 &&
         s.out_width == 1 && s.kernel_depth == s.in_depth && s.kernel_height == s.in_height &&
         s.kernel_width == s.in_width && s.pad_depth == 0 && s.pad_height == 0 &&
         s.pad_width == 0 && s.dilation_depth == 1 && s.dilation_height == 1 &&
         s.dilation_width == 1 && s.x_height_stride == s.in_width * s.x_width_stride &&
         (s.in_depth == 1 || s.x_depth_stride == s.in_height * s.x_height_stride);
}

/// Of one vector of channels of image b, of which `left` exist unless all do. LibTorch sums rows of
/// eight pixels lane by lane: the pixels past the last row come first, the lanes' sums then.
template <class Isa, bool kWhole>
void mean_of_channels(const ImageConvCall& c, int64_t b, int64_t channel, int left) {
  using V = typename Isa::V;
  constexpr int64_t kPixels = 8;
  const ConvShape& s = c.shape;
  const auto load = [left](const float* p) {
    return kWhole ? Isa::load(p) : Isa::load_first(p, left);
  };
  const int64_t pixels = s.in_depth * s.in_height * s.in_width, rows = pixels / kPixels;
  const int64_t stride = s.x_width_stride;
  const float* const x = c.x + b * s.x_batch_stride + channel;
  V sum = Isa::zero();
  for (int64_t i = rows * kPixels; i < pixels; ++i) sum = Isa::add(sum, load(x + i * stride));
  for (int64_t lane = 0; lane < kPixels; ++lane)
    sum = Isa::add(sum, cascade_sum<Isa>(x + lane * stride, kPixels * stride, rows, load));
  sum = Isa::div(sum, Isa::all(static_cast<float>(pixels)));
  const int64_t at = b * s.out_channels + channel;
  if (c.summand != nullptr) sum = Isa::add(sum, load(c.summand + at));
  if (c.clamps) sum = Isa::min(Isa::all(c.clamp.high), Isa::max(Isa::all(c.clamp.low), sum));
  kWhole ? Isa::store(c.out + at, sum) : Isa::store_first(c.out + at, sum, left);
}

template <class Isa>
void image_mean(const ImageConvCall& c, int64_t b) {
  int64_t channel = 0;
  for (; channel + Isa::kLanes <= c.shape.out_channels; channel += Isa::kLanes)
    mean_of_channels<Isa, true>(c, b, channel, Isa::kLanes);
  if (channel < c.shape.out_channels)
    mean_of_channels<Isa, false>(c, b, channel, static_cast<int>(c.shape.out_channels - channel));
}

}  // namespace
}  // namespace torchweld::x86
