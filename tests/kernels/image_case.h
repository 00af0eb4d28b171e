// An image operation by hand beside plain loops.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "kernels/x86/image_conv.h"
#include "kernels/x86/isa.h"
#include "tests/kernels/conv_operands.h"

namespace torchweld::x86 {

inline constexpr float kInf = std::numeric_limits<float>::infinity();

inline bool sees_all_channels(ImageOp op) {
  return op == ImageOp::kConvolution || op == ImageOp::kFewFilters || op == ImageOp::kPlanes;
}

/// An image operation, its operands and what plain loops make of them.
struct Case {
  Case(const ConvShape& shape, Extras with, bool channels_first = false)
      : s(lay(shape, channels_first)),
        extras(with),
        x(s.batch * s.x_batch_stride, 1),
        w(s.taps() * s.out_channels, 2),
        scale(s.out_channels, 5),
        bias(s.out_channels, 3),
        summand(s.positions() * s.out_channels, 4),
        out(s.positions() * s.out_channels),
        scratch(image_conv_scratch_floats(s)) {
    // The weight is [out_channels, in_channels, height, width], as archives have it.
    MatrixLayout layout{s.taps(), s.out_channels, 1, s.taps()};
    if (sees_all_channels(s.op)) {
      layout.inner = s.in_channels / s.groups;
      layout.stride_inner = s.pixels();
      if (s.op == ImageOp::kConvolution) layout.piece = s.order.piece;
      if (s.op == ImageOp::kFewFilters || s.op == ImageOp::kPlanes) layout.panel = 1;
    }
    packed = pack(w.data(), layout);
  }

  static ConvShape lay(ConvShape s, bool channels_first) {
    const int64_t pixels = s.in_height * s.in_width;
    s.x_batch_stride = pixels * s.in_channels;
    s.x_channel_stride = channels_first ? pixels : 1;
    s.x_width_stride = channels_first ? 1 : s.in_channels;
    s.x_height_stride = s.in_width * s.x_width_stride;
    return s;
  }

  ImageConvCall call() {
    std::fill_n(out.data(), out.size(), std::nanf(""));
    ImageConvCall c;
    c.shape = s;
    c.x = x.data();
    const bool is_pooling = s.op == ImageOp::kMaxPool || s.op == ImageOp::kAveragePool;
    if (!is_pooling) c.w = packed.data.get();
    if (!is_pooling) c.panel = packed.panel;
    if (extras.scale) c.scale = scale.data();
    if (extras.bias) c.bias = bias.data();
    if (extras.summand) c.summand = summand.data();
    c.clamps = extras.clamp != Clamp{};
    c.clamp = extras.clamp;
    c.out = out.data();
    c.scratch = scratch.data();
    return c;
  }

  /// Of one element, in float64, and the sum of absolute values.
  std::pair<double, double> expected(int64_t b, int64_t y, int64_t i, int64_t channel) const {
    const bool dense = sees_all_channels(s.op), largest = s.op == ImageOp::kMaxPool;
    double sum = largest ? -kInf : 0, size = 2;
    int64_t inside = 0;
    const int64_t seen = s.in_channels / s.groups;
    const int64_t first = dense ? channel / (s.out_channels / s.groups) * seen : channel;
    for (int64_t c = first; c < first + (dense ? seen : 1); ++c) {
      for (int64_t ky = 0; ky < s.kernel_height; ++ky) {
        for (int64_t kx = 0; kx < s.kernel_width; ++kx) {
          const int64_t row = y * s.stride_height - s.pad_height + ky * s.dilation_height,
                        column = i * s.stride_width - s.pad_width + kx * s.dilation_width;
          if (row < 0 || row >= s.in_height || column < 0 || column >= s.in_width) continue;
          const double value = x[b * s.x_batch_stride + c * s.x_channel_stride +
                                 row * s.x_height_stride + column * s.x_width_stride];
          const double tap = w[channel * s.taps() + (dense ? (c - first) * s.pixels() : 0) +
                               ky * s.kernel_width + kx];
          ++inside;
          if (largest) {
            sum = std::isnan(value) || value > sum ? value : sum;
          } else {
            sum += s.op == ImageOp::kAveragePool ? value : value * tap;
          }
          size += std::abs(value);
        }
      }
    }
    if (s.op == ImageOp::kAveragePool)
      sum /= static_cast<double>(s.counts_padding ? s.pixels() : inside);
    if (extras.scale) sum *= scale[channel];
    if (extras.bias) sum += bias[channel];
    const int64_t at = ((b * s.out_height + y) * s.out_width + i) * s.out_channels + channel;
    if (extras.summand) sum += summand[at];
    return {std::isnan(sum) ? sum : std::clamp<double>(sum, extras.clamp.low, extras.clamp.high),
            size};
  }

  void expect_plain(const char* what) const {
    expect_sums(s, out, what, [this](auto... place) { return expected(place...); });
  }

  ConvShape s;
  Extras extras;
  Floats x, w, scale, bias, summand, out, scratch;
  PackedMatrix packed;
};

struct Window {
  int64_t kernel, stride, pad, dilation;
};

inline ConvShape shape_of(ImageOp op, int64_t batch, int64_t height, int64_t width, int64_t in,
                          int64_t out, Window window) {
  ConvShape s;
  s.op = op;
  s.batch = batch;
  s.in_height = height;
  s.in_width = width;
  s.in_channels = in;
  s.out_channels = out;
  s.kernel_height = window.kernel;
  s.kernel_width = window.kernel;
  s.stride_height = s.stride_width = window.stride;
  s.pad_height = s.pad_width = window.pad;
  s.dilation_height = s.dilation_width = window.dilation;
  const int64_t reach = (window.kernel - 1) * window.dilation + 1;
  s.out_height = (height + 2 * window.pad - reach) / window.stride + 1;
  s.out_width = (width + 2 * window.pad - reach) / window.stride + 1;
  return s;
}

inline constexpr Window kWindows[] = {{1, 1, 0, 1}, {1, 2, 0, 1}, {3, 1, 1, 1}, {3, 2, 1, 1},
                                      {3, 1, 2, 2}, {5, 2, 2, 1}, {2, 2, 0, 1}, {3, 3, 0, 1}};
inline const Clamp kClamps[] = {{}, Clamp::relu(), {0, 6}};

using Split = SummationOrder::Split;
inline constexpr SummationOrder kOrders[] = {
    {},
    {.piece = 1},
    {.piece = 8, .split = Split::kPieces},
    {.piece = 16, .split = Split::kPieces, .from_bias = true},
    {.piece = 8, .split = Split::kNone}};

/// On the calling thread by the best instruction set, and in pieces.
inline void expect_both(Case* c) {
  image_conv(c->call(), {});
  c->expect_plain("whole");
  image_conv(c->call(), [](int64_t count, int64_t, const auto& work) {
    for (int64_t i = 0; i < count; i += 3) work(i, std::min(i + 3, count));
  });
  c->expect_plain("in pieces");
  const int64_t n = c->s.out_channels;
  int64_t rows = 0;
  image_conv(c->call(), {}, [&](int64_t begin, int64_t end) {  // each row is there, and comes once
    for (int64_t i = begin * n; i < end * n; ++i) c->out[i] = 2 * c->out[i];
    rows += end - begin;
  });
  EXPECT_EQ(rows, c->s.positions());
  for (int64_t i = 0; i < c->out.size(); ++i) c->out[i] /= 2;
  c->expect_plain("with what comes after");
}

}  // namespace torchweld::x86
