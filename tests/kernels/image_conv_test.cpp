// Convolutions and poolings of images against plain loops, on both instruction sets.
#include "kernels/x86/matmul_isa.h"
#include "tests/kernels/image_case.h"

namespace torchweld::x86 {
namespace {

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
      for (const int64_t many : {3, 8, 40, 300}) {
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
