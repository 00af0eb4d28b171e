// A convolution or pooling of volumes, its operands and what plain loops make of them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>
#include <utility>
#include <vector>

#include "kernels/x86/image_conv.h"
#include "tests/kernels/conv_operands.h"

namespace torchweld::x86 {

using VolumeDims = std::array<int64_t, 3>;  // depth, height, width

struct VolumeWindow {
  VolumeDims kernel, stride = {1, 1, 1}, pad = {0, 0, 0}, dilation = {1, 1, 1};
};

inline ConvShape volume_shape(ImageOp op, int64_t batch, VolumeDims in, int64_t channels,
                              int64_t filters, const VolumeWindow& window) {
  ConvShape s;
  s.op = op;
  s.batch = batch;
  s.in_channels = channels;
  s.out_channels = filters;
  VolumeDims out;
  for (size_t d = 0; d < 3; ++d) {
    const int64_t reach = (window.kernel[d] - 1) * window.dilation[d] + 1;
    out[d] = op == ImageOp::kTransposed
                 ? (in[d] - 1) * window.stride[d] - 2 * window.pad[d] + window.kernel[d]
                 : (in[d] + 2 * window.pad[d] - reach) / window.stride[d] + 1;
  }
  std::tie(s.in_depth, s.in_height, s.in_width) = std::tie(in[0], in[1], in[2]);
  std::tie(s.out_depth, s.out_height, s.out_width) = std::tie(out[0], out[1], out[2]);
  const auto set = [](const VolumeDims& from, int64_t* depth, int64_t* height, int64_t* width) {
    *depth = from[0];
    *height = from[1];
    *width = from[2];
  };
  set(window.kernel, &s.kernel_depth, &s.kernel_height, &s.kernel_width);
  set(window.stride, &s.stride_depth, &s.stride_height, &s.stride_width);
  set(window.pad, &s.pad_depth, &s.pad_height, &s.pad_width);
  set(window.dilation, &s.dilation_depth, &s.dilation_height, &s.dilation_width);
  s.order = {.piece = 40, .split = SummationOrder::Split::kPieces};
  return s;
}

/// How a volume lies: voxels `apart` floats apart, or as planes of one channel each.
inline ConvShape lay_volume(ConvShape s, bool planes, int64_t apart) {
  const int64_t voxels = s.in_depth * s.in_height * s.in_width;
  s.x_channel_stride = planes ? voxels : 1;
  s.x_width_stride = planes ? 1 : apart;
  s.x_height_stride = s.in_width * s.x_width_stride;
  s.x_depth_stride = s.in_height * s.x_height_stride;
  s.x_batch_stride = planes ? voxels * s.in_channels : voxels * apart;
  return s;
}

struct VolumeCase {
  VolumeCase(const ConvShape& shape, Extras with, bool planes = false, int64_t gap = 0)
      : s(lay_volume(shape, planes, shape.in_channels + gap)),
        extras(with),
        x(s.batch * s.x_batch_stride, 1),
        w(s.taps() * s.out_channels, 2),
        scale(s.out_channels, 5),
        bias(s.out_channels, 3),
        summand(s.positions() * s.out_channels, 4),
        out(s.positions() * s.out_channels),
        scratch(image_conv_scratch_floats(s)) {
    if (s.op == ImageOp::kTransposed) {
      pack_phases();
      return;
    }
    // The weight is [out_channels, in_channels, depth, height, width], as archives have it.
    layout = {s.taps(), s.out_channels, 1, s.taps()};
    if (s.op == ImageOp::kConvolution) {
      layout.inner = s.in_channels / s.groups;
      layout.stride_inner = s.pixels();
    }
    packed = pack(w.data(), layout);
  }

  /// Of a transposed one: phases, their taps, channels in, channels out; from the last on.
  void pack_phases() {
    std::vector<float> ordered;
    const auto each = [](int64_t stride, int64_t kernel, int64_t phase, const auto& f) {
      for (int64_t k = phase + (kernel - 1 - phase) / stride * stride; k >= 0; k -= stride) f(k);
    };
    for (int64_t fz = s.stride_depth - 1; fz >= 0; --fz) {
      for (int64_t fy = s.stride_height - 1; fy >= 0; --fy) {
        for (int64_t fx = s.stride_width - 1; fx >= 0; --fx) {
          each(s.stride_depth, s.kernel_depth, fz, [&](int64_t kz) {
            each(s.stride_height, s.kernel_height, fy, [&](int64_t ky) {
              each(s.stride_width, s.kernel_width, fx, [&](int64_t kx) {
                for (int64_t c = 0; c < s.in_channels; ++c) {
                  for (int64_t o = 0; o < s.out_channels; ++o)
                    ordered.push_back(weight(o, c, kz, ky, kx));
                }
              });
            });
          });
        }
      }
    }
    packed = pack(ordered.data(), {s.taps(), s.out_channels, s.out_channels, 1});
  }

  float weight(int64_t filter, int64_t c, int64_t kz, int64_t ky, int64_t kx) const {
    return w[filter * s.taps() + c * s.pixels() + (kz * s.kernel_height + ky) * s.kernel_width +
             kx];
  }

  ImageConvCall call() const {
    std::fill_n(out.data(), out.size(), std::nanf(""));
    ImageConvCall c;
    c.shape = s;
    c.x = x.data();
    if (s.op != ImageOp::kMaxPool && s.op != ImageOp::kAveragePool) {
      c.w = packed.data.get();
      c.panel = packed.panel;
    }
    if (extras.scale) c.scale = scale.data();
    if (extras.bias) c.bias = bias.data();
    if (extras.summand) c.summand = summand.data();
    c.clamps = extras.clamp != Clamp{};
    c.clamp = extras.clamp;
    c.out = out.data();
    c.scratch = scratch.data();
    return c;
  }

  /// Where tap `k` of one dim reads for a place of the result; -1 where nothing is.
  static int64_t place(const ConvShape& s, int64_t out, int64_t k, int64_t stride, int64_t pad,
                       int64_t dilation, int64_t size) {
    if (s.op == ImageOp::kTransposed) {
      const int64_t from = out + pad - k;
      return from < 0 || from % stride != 0 || from / stride >= size ? -1 : from / stride;
    }
    const int64_t at = out * stride - pad + k * dilation;
    return at < 0 || at >= size ? -1 : at;
  }

  /// Of one element, in float64, and the sum of absolute values.
  std::pair<double, double> expected(int64_t slice, int64_t y, int64_t i, int64_t channel) const {
    const int64_t b = slice / s.out_depth, z = slice % s.out_depth;
    const bool largest = s.op == ImageOp::kMaxPool, average = s.op == ImageOp::kAveragePool;
    const bool by_channel = largest || average || s.op == ImageOp::kDepthwise;
    const int64_t seen = by_channel ? 1 : s.in_channels / s.groups;
    const int64_t first = by_channel ? channel : channel / (s.out_channels / s.groups) * seen;
    double sum = largest ? -HUGE_VAL : 0, size = 2;
    int64_t inside = 0;
    for (int64_t tap = 0; tap < s.pixels(); ++tap) {
      const int64_t kz = tap / (s.kernel_height * s.kernel_width),
                    ky = tap / s.kernel_width % s.kernel_height, kx = tap % s.kernel_width;
      const int64_t iz = place(s, z, kz, s.stride_depth, s.pad_depth, s.dilation_depth, s.in_depth);
      const int64_t iy =
          place(s, y, ky, s.stride_height, s.pad_height, s.dilation_height, s.in_height);
      const int64_t ix = place(s, i, kx, s.stride_width, s.pad_width, s.dilation_width, s.in_width);
      if (iz < 0 || iy < 0 || ix < 0) continue;
      ++inside;
      for (int64_t c = 0; c < seen; ++c) {
        const double value =
            x[b * s.x_batch_stride + (first + c) * s.x_channel_stride + iz * s.x_depth_stride +
              iy * s.x_height_stride + ix * s.x_width_stride];
        size += std::abs(value);
        if (largest) {
          sum = std::max(sum, value);
        } else {
          sum += average ? value : value * weight(channel, c, kz, ky, kx);
        }
      }
    }
    if (average) sum /= static_cast<double>(s.counts_padding ? s.pixels() : inside);
    if (extras.scale) sum *= scale[channel];
    if (extras.bias) sum += bias[channel];
    const int64_t at = ((slice * s.out_height + y) * s.out_width + i) * s.out_channels + channel;
    if (extras.summand) sum += summand[at];
    return {std::clamp<double>(sum, extras.clamp.low, extras.clamp.high), size};
  }

  void expect_plain(const char* what, double slack = 1) const {
    ConvShape slices = s;
    slices.batch = s.slices();
    expect_sums(slices, out, what, [this, slack](auto... place) {
      const auto [value, size] = expected(place...);
      return std::pair(value, slack * size);
    });
  }

  /// Whole, in pieces, and with what comes after.
  template <class Run>
  void expect_all_ways(const Run& run, double slack = 1) const {
    run(call(), SplitWork(), AfterRows());
    expect_plain("whole", slack);
    const SplitWork pieces = [](int64_t count, int64_t, const auto& work) {
      for (int64_t i = 0; i < count; i += 3) work(i, std::min(i + 3, count));
    };
    run(call(), pieces, AfterRows());
    expect_plain("in pieces", slack);
    const int64_t n = s.out_channels;
    int64_t rows = 0;
    run(call(), SplitWork(), [&](int64_t begin, int64_t end) {  // each row is there, and comes once
      for (int64_t i = begin * n; i < end * n; ++i) out[i] = 2 * out[i];
      rows += end - begin;
    });
    EXPECT_EQ(rows, s.positions());
    for (int64_t i = 0; i < out.size(); ++i) out[i] /= 2;
    expect_plain("with what comes after", slack);
  }

  void expect_image_conv() const {
    expect_all_ways([](const ImageConvCall& c, const SplitWork& parallel, const AfterRows& after) {
      image_conv(c, parallel, after);
    });
  }

  ConvShape s;
  Extras extras;
  Floats x, w, scale, bias, summand, out, scratch;
  MatrixLayout layout;
  PackedMatrix packed;
};

}  // namespace torchweld::x86
