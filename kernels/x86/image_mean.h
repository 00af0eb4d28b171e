// The mean of all pixels, channel by channel, in the order of LibTorch's sum of a contiguous row.
// Included by the two files that are compiled for one instruction set each; see matmul_isa.h.
#pragma once

#include <cstdint>

#include "kernels/x86/matmul_isa.h"

namespace torchweld::x86 {
namespace {

/// The sum of x[i * stride] for i below `count`: four sums over every fourth one, each in blocks of
/// sixteen and blocks of these. Source  at::native::row_sum in SumKernel.cpp, LibTorch 2.11.
template <class Isa, class Load>
[[gnu::always_inline]] inline typename Isa::V row_sum(const float* x, int64_t stride, int64_t count,
                                                      const Load& load) {
  using V = typename Isa::V;
  constexpr int kLevels = 4, kSums = 4;
  constexpr int64_t kBlock = 16;
  V level[kLevels][kSums];
  for (auto& sums : level)
    for (V& sum : sums) sum = Isa::zero();
  const int64_t rows = count / kSums;
  for (int64_t i = 0; i < rows;) {
    for (V& sum : level[0]) {
      sum = Isa::add(sum, load(x));
      x += stride;
    }
    ++i;
    int64_t block = kBlock;
    for (int j = 1; j < kLevels && i % block == 0; ++j, block *= kBlock) {
      for (int k = 0; k < kSums; ++k) {
        level[j][k] = Isa::add(level[j][k], level[j - 1][k]);
        level[j - 1][k] = Isa::zero();
      }
    }
  }
  for (int j = 1; j < kLevels; ++j)
    for (int k = 0; k < kSums; ++k) level[0][k] = Isa::add(level[0][k], level[j][k]);
  for (int64_t i = rows * kSums; i < count; ++i, x += stride)
    level[0][0] = Isa::add(level[0][0], load(x));
  for (int k = 1; k < kSums; ++k) level[0][0] = Isa::add(level[0][0], level[0][k]);
  return level[0][0];
}

/// Whether the window of an average is all of a dense image.
inline bool is_mean_of_image(const ConvShape& s) {
  return s.op == ImageOp::kAveragePool && s.out_height == 1 && s.out_width == 1 &&
         s.kernel_height == s.in_height && s.kernel_width == s.in_width && s.pad_height == 0 &&
         s.pad_width == 0 && s.dilation_height == 1 && s.dilation_width == 1 &&
         s.x_height_stride == s.in_width * s.x_width_stride;
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
  const int64_t pixels = s.in_height * s.in_width, rows = pixels / kPixels;
  const int64_t stride = s.x_width_stride;
  const float* const x = c.x + b * s.x_batch_stride + channel;
  V sum = Isa::zero();
  for (int64_t i = rows * kPixels; i < pixels; ++i) sum = Isa::add(sum, load(x + i * stride));
  for (int64_t lane = 0; lane < kPixels; ++lane)
    sum = Isa::add(sum, row_sum<Isa>(x + lane * stride, kPixels * stride, rows, load));
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
