// Convolutions and poolings of images against plain loops, on both instruction sets.
#include "kernels/x86/image_conv.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/x86/isa.h"
#include "kernels/x86/matmul_isa.h"
#include "tests/kernels/conv_operands.h"

namespace torchweld::x86 {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

bool sees_all_channels(ImageOp op) {
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

ConvShape shape_of(ImageOp op, int64_t batch, int64_t height, int64_t width, int64_t in,
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

constexpr Window kWindows[] = {{1, 1, 0, 1}, {1, 2, 0, 1}, {3, 1, 1, 1}, {3, 2, 1, 1},
                               {3, 1, 2, 2}, {5, 2, 2, 1}, {2, 2, 0, 1}, {3, 3, 0, 1}};
const Clamp kClamps[] = {{}, Clamp::relu(), {0, 6}};

using Split = SummationOrder::Split;
constexpr SummationOrder kOrders[] = {{},
                                      {.piece = 1},
                                      {.piece = 8, .split = Split::kPieces},
                                      {.piece = 16, .split = Split::kPieces, .from_bias = true},
                                      {.piece = 8, .split = Split::kNone}};

/// On the calling thread by the best instruction set, and in pieces.
void expect_both(Case* c) {
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

TEST(ImageConv, ConvolutionsMatchPlainLoops) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  int i = 0;
  for (const Window& window : kWindows) {
    for (const int64_t channels : {1, 3, 16, 37}) {
      for (const int64_t filters : {8, 16, 40, 300}) {
        ConvShape s = shape_of(ImageOp::kConvolution, 1 + i % 2, 7, 9, channels, filters, window);
        s.order = kOrders[i % 5];
        Case c(s, {i % 2 == 0, i % 3 == 0, kClamps[i % 3], i % 4 < 2}, i % 5 == 0);
        expect_both(&c);
        if (HasFatalFailure()) return;
        ++i;
      }
    }
  }
}

TEST(ImageConv, FewPlanesMatchPlainLoops) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  int i = 0;
  for (const Window& window : kWindows) {
    for (const int64_t channels : {2, 3, 4, 5}) {  // five are put side by side
      for (const SummationOrder& order : kOrders) {
        ConvShape s =
            shape_of(ImageOp::kConvolution, 1 + i % 2, 11, 6, channels, 20 + i % 7, window);
        s.order = order;
        Case c(s, {i % 2 == 0, i % 3 == 0, kClamps[i % 3], i % 4 < 2}, true);
        expect_both(&c);
        if (HasFatalFailure()) return;
        ++i;
      }
    }
  }
}

TEST(ImageConv, FiltersAndWindowsByChannelMatchPlainLoops) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  int i = 0;
  for (const ImageOp op : {ImageOp::kDepthwise, ImageOp::kMaxPool, ImageOp::kAveragePool}) {
    for (const Window& window : kWindows) {
      for (const int64_t channels : {5, 16, 24, 47, 64}) {
        ConvShape s = shape_of(op, 1 + i % 2, 8, 17, channels, channels, window);
        s.counts_padding = i % 2 == 0;
        const bool filters = op == ImageOp::kDepthwise;
        Case c(s, {filters && i % 2 == 0, i % 3 == 0, kClamps[i % 3], filters && i % 4 < 2});
        expect_both(&c);
        if (HasFatalFailure()) return;
        for (const bool wide : {false, true}) {
          if (wide && (host_isa() != Isa::kAvx512 || c.packed.panel == 8)) continue;
          (wide ? by_channel_avx512 : by_channel_avx2)(c.call(), 0, s.batch * s.out_height);
          c.expect_plain(wide ? "AVX-512" : "AVX2");
          if (HasFatalFailure()) return;
        }
        ++i;
      }
    }
  }
}

TEST(ImageConv, FewFiltersMatchPlainLoops) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  int i = 0;
  for (const Window& window : kWindows) {
    for (const int64_t channels : {8, 13, 16, 37, 64}) {
      for (const int64_t filters : {1, 2, 3, 4, 5, 12}) {
        const ConvShape s =
            shape_of(ImageOp::kFewFilters, 1 + i % 2, 8, 4 + i % 14, channels, filters, window);
        Case c(s, {i % 2 == 0, i % 3 == 0, kClamps[i % 3], i % 4 < 2});
        expect_both(&c);
        if (HasFatalFailure()) return;
        ++i;
      }
    }
  }
}

TEST(ImageConv, FewFiltersOfFewPlanesMatchPlainLoops) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  int i = 0;
  for (const Window& window : kWindows) {
    for (const int64_t width : {16, 23, 70, 150}) {
      for (int64_t channels = 1; channels <= 4; ++channels) {
        for (int64_t filters = 1; filters <= kMostFewColumns; ++filters) {
          ConvShape s = shape_of(ImageOp::kPlanes, 1 + i % 2, 6, width, channels, filters, window);
          s.stride_width = 1;
          s.out_width = width + 2 * s.pad_width - (s.kernel_width - 1) * s.dilation_width;
          Case c(s, {i % 2 == 0, i % 3 == 0, kClamps[i % 3], i % 4 < 2}, true);
          expect_both(&c);
          if (HasFatalFailure()) return;
          if (s.pad_width == 0) {
            for (const bool wide : {false, true}) {
              if (wide && host_isa() != Isa::kAvx512) continue;
              (wide ? by_plane_avx512 : by_plane_avx2)(c.call(), 0, s.batch * s.out_height);
              c.expect_plain(wide ? "AVX-512" : "AVX2");
              if (HasFatalFailure()) return;
            }
          }
          ++i;
        }
      }
    }
  }
}

TEST(ImageConv, GroupsSeeTheirChannels) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  int i = 0;
  for (const Window& window : kWindows) {
    for (const int64_t groups : {2, 3, 8}) {
      for (const int64_t filters : {1, 4, 8, 11, 24, 48}) {  // of a group
        ConvShape s = shape_of(ImageOp::kConvolution, 1 + i % 2, 7, 9, groups * (2 + i % 7),
                               groups * filters, window);
        s.groups = groups;
        s.order = kOrders[i % 5];
        Case c(s, {i % 2 == 0, i % 3 == 0, kClamps[i % 3]});
        expect_both(&c);
        if (HasFatalFailure()) return;
        ++i;
      }
    }
  }
}

/// A long signal goes in pieces.
TEST(ImageConv, ImagesOfOneRowMatchPlainLoops) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  int i = 0;
  for (const ImageOp op : {ImageOp::kConvolution, ImageOp::kFewFilters, ImageOp::kPlanes,
                           ImageOp::kDepthwise, ImageOp::kMaxPool, ImageOp::kAveragePool}) {
    for (const Window& window : kWindows) {
      for (const int64_t many : {8, 40, 300}) {
        const bool planes = op == ImageOp::kPlanes;
        if (planes && window.stride != 1) continue;
        const int64_t channels =
            planes || op == ImageOp::kFewFilters ? 1 + i % kMostFewColumns : many;
        const int64_t in = op == ImageOp::kConvolution ? 1 + i % 20 : planes ? 1 + i % 3 : many;
        ConvShape s = shape_of(op, 1 + i % 2, 16, 401, in, channels, window);
        s.in_height = s.out_height = s.kernel_height = s.stride_height = s.dilation_height = 1;
        s.pad_height = 0;
        s.order = kOrders[i % 5];
        Case c(s, {op == ImageOp::kDepthwise, i % 3 == 0, kClamps[i % 3]}, planes);
        expect_both(&c);
        if (HasFatalFailure()) return;
        ++i;
      }
    }
  }
}

TEST(ImageConv, WindowsMayReachPastTheEnd) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  for (const ImageOp op : {ImageOp::kMaxPool, ImageOp::kAveragePool}) {
    ConvShape s = shape_of(op, 1, 6, 6, 16, 16, {3, 2, 0, 1});
    s.out_height = s.out_width = 3;  // the last window has two rows and columns
    Case c(s, {});
    expect_both(&c);
  }
}

TEST(ImageConv, NanStaysWhereItIsSeen) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  for (const ImageOp op :
       {ImageOp::kConvolution, ImageOp::kDepthwise, ImageOp::kMaxPool, ImageOp::kAveragePool}) {
    Case c(shape_of(op, 1, 6, 6, 16, 16, {3, 1, 1, 1}), {false, false, Clamp::relu()});
    c.x[(2 * 6 + 3) * 16 + 5] = std::nanf("");  // row 2, column 3, channel 5
    image_conv(c.call(), {});
    for (int64_t y = 0; y < 6; ++y) {
      for (int64_t i = 0; i < 6; ++i) {
        for (int64_t channel = 0; channel < 16; ++channel) {
          const bool sees = std::abs(y - 2) <= 1 && std::abs(i - 3) <= 1 &&
                            (op == ImageOp::kConvolution || channel == 5);
          EXPECT_EQ(std::isnan(c.out[(y * 6 + i) * 16 + channel]), sees)
              << y << ", " << i << ", " << channel;
        }
      }
    }
  }
}

/// Filters wider than what they see, rows and columns of which are padding.
TEST(ImageConv, ZerosAroundAnImageAreLeftOut) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  constexpr Window kWide[] = {{3, 1, 6, 6}, {3, 1, 12, 12}, {3, 1, 1, 1},
                              {3, 2, 4, 4}, {5, 1, 6, 3},   {3, 1, 9, 4}};
  int i = 0;
  for (const Window& window : kWide) {
    for (const int64_t channels : {32, 40, 72}) {
      for (const SummationOrder& order : {kOrders[2], kOrders[3], kOrders[4]}) {
        ConvShape s = shape_of(ImageOp::kConvolution, 1 + i % 2, 7 + i % 3, 9, channels,
                               i % 2 == 0 ? 40 : 300, window);
        s.order = order;
        Case c(s, {i % 2 == 0, i % 3 == 0, kClamps[i % 3], i % 4 < 2}, i % 5 == 0);
        expect_both(&c);
        if (HasFatalFailure()) return;
        ++i;

        if (window.dilation == 1) continue;  // few zeros are multiplied
        Case infinite(s, {});
        infinite.w[0] = kInf;  // the first tap of the first filter
        infinite.packed = pack(infinite.w.data(), {s.taps(), s.out_channels, 1, s.taps(), channels,
                                                   s.pixels(), s.order.piece});
        image_conv(infinite.call(), {});
        for (int64_t p = 0; p < s.positions(); ++p) {
          const int64_t y = p / s.out_width % s.out_height, x = p % s.out_width;
          const auto [sum, size] = infinite.expected(p / s.out_width / s.out_height, y, x, 0);
          EXPECT_EQ(std::isfinite(infinite.out[p * s.out_channels]), std::isfinite(sum)) << p;
        }
      }
    }
  }
}

TEST(ImageConv, InfinitiesAreClamped) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  Case c(shape_of(ImageOp::kMaxPool, 1, 4, 4, 16, 16, {2, 2, 0, 1}), {false, false, {-1, 6}});
  std::fill_n(c.x.data(), 16 * 16, -kInf);
  c.x[0] = kInf;
  image_conv(c.call(), {});
  EXPECT_EQ(c.out[0], 6);
  EXPECT_EQ(c.out[1], -1);
}

}  // namespace
}  // namespace torchweld::x86
