// Convolutions and poolings of volumes against plain loops, by all kernels that take them.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/x86/image_conv.h"
#include "kernels/x86/isa.h"
#include "kernels/x86/matmul_isa.h"
#include "kernels/x86/winograd.h"
#include "kernels/x86/winograd_isa.h"
#include "tests/kernels/volume_case.h"

namespace torchweld::x86 {
namespace {

const VolumeWindow kWindows[] = {{.kernel = {3, 3, 3}, .pad = {1, 1, 1}},
                                 {.kernel = {3, 3, 3}, .stride = {2, 2, 2}, .pad = {1, 1, 1}},
                                 {.kernel = {3, 1, 1}, .pad = {1, 0, 0}},
                                 {.kernel = {3, 1, 1}, .stride = {2, 1, 1}, .pad = {1, 0, 0}},
                                 {.kernel = {1, 3, 3}, .pad = {0, 1, 1}},
                                 {.kernel = {2, 3, 2}, .stride = {2, 3, 2}},
                                 {.kernel = {3, 2, 3}, .pad = {2, 1, 2}, .dilation = {2, 1, 2}},
                                 {.kernel = {1, 1, 1}, .stride = {1, 2, 2}},
                                 {.kernel = {3, 5, 4}, .stride = {1, 2, 3}, .pad = {1, 2, 0}}};
const Clamp kClamps[] = {{}, Clamp::relu(), {0, 6}};

Extras extras_of(int i) {
  return {.bias = i % 2 == 0, .summand = i % 3 == 0, .clamp = kClamps[i % 3], .scale = i % 4 < 2};
}

TEST(VolumeConv, ConvolutionsMatchPlainLoops) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  int i = 0;
  for (const VolumeWindow& window : kWindows) {
    for (const int64_t channels : {1, 3, 16, 21}) {
      for (const int64_t filters : {5, 16, 40, 300}) {
        const bool planes = i % 4 == 1;
        const VolumeCase c(
            volume_shape(ImageOp::kConvolution, 1 + i % 2, {4, 5, 7}, channels, filters, window),
            extras_of(i), planes, planes ? 0 : i % 3);
        c.expect_image_conv();
        if (HasFatalFailure()) return;
        ++i;
      }
    }
  }
}

/// More than stays in the second cache goes block by block.
TEST(VolumeConv, LargeOnesMatchPlainLoops) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  const VolumeWindow window = {.kernel = {2, 1, 3}, .pad = {1, 0, 1}};
  VolumeCase(volume_shape(ImageOp::kConvolution, 1, {2, 20, 20}, 128, 40, window), {.bias = true})
      .expect_image_conv();
}

TEST(VolumeConv, GroupsSeeTheirChannels) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  int i = 0;
  for (const VolumeWindow& window : kWindows) {
    for (const int64_t filters : {4, 8, 24}) {  // of a group
      ConvShape s = volume_shape(ImageOp::kConvolution, 1 + i % 2, {3, 5, 6}, 3 * (2 + i % 7),
                                 3 * filters, window);
      s.groups = 3;
      VolumeCase(s, extras_of(i)).expect_image_conv();
      if (HasFatalFailure()) return;
      ++i;
    }
  }
}

TEST(VolumeConv, FiltersAndWindowsByChannelMatchPlainLoops) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  int i = 0;
  for (const ImageOp op : {ImageOp::kDepthwise, ImageOp::kMaxPool, ImageOp::kAveragePool}) {
    const bool filters = op == ImageOp::kDepthwise;
    for (const VolumeWindow& window : kWindows) {
      if (!filters && window.dilation[0] > 1) continue;  // windows of padding alone
      for (const int64_t channels : {5, 16, 47}) {
        ConvShape s = volume_shape(op, 1 + i % 2, {4, 6, 17}, channels, channels, window);
        s.counts_padding = i % 2 == 0;
        Extras extras = extras_of(i);
        extras.scale &= filters;
        extras.bias &= filters;
        const VolumeCase c(s, extras, false, i % 2);
        c.expect_image_conv();
        if (HasFatalFailure()) return;
        by_channel_avx2(c.call(), 0, s.slices() * s.out_height);
        c.expect_plain("AVX2");
        if (HasFatalFailure()) return;
        ++i;
      }
    }
  }
}

/// The mean of a whole volume, and long rows, which go in pieces.
TEST(VolumeConv, RowsAndWholeVolumes) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  const ConvShape whole =
      volume_shape(ImageOp::kAveragePool, 2, {3, 4, 5}, 37, 37, {.kernel = {3, 4, 5}});
  VolumeCase(whole, {.summand = true}).expect_image_conv();
  const VolumeWindow deep = {.kernel = {3, 1, 1}, .stride = {2, 1, 1}, .pad = {1, 0, 0}};
  for (const ImageOp op : {ImageOp::kConvolution, ImageOp::kDepthwise, ImageOp::kMaxPool})
    VolumeCase(volume_shape(op, 2, {5, 1, 301}, 20, 20, deep), {.summand = true})
        .expect_image_conv();
}

TEST(VolumeConv, TransposedOnesMatchPlainLoops) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  const VolumeWindow windows[] = {{.kernel = {2, 2, 2}, .stride = {2, 2, 2}},
                                  {.kernel = {4, 4, 4}, .stride = {2, 2, 2}, .pad = {1, 1, 1}},
                                  {.kernel = {3, 3, 3}, .pad = {1, 1, 1}},
                                  {.kernel = {2, 1, 1}, .stride = {2, 1, 1}},
                                  {.kernel = {1, 4, 2}, .stride = {1, 2, 2}, .pad = {0, 1, 0}},
                                  {.kernel = {6, 2, 4}, .stride = {3, 1, 2}, .pad = {2, 0, 1}},
                                  {.kernel = {3, 3, 3}, .stride = {2, 2, 2}, .pad = {1, 1, 1}},
                                  {.kernel = {3, 5, 4}, .stride = {2, 3, 2}, .pad = {0, 1, 1}},
                                  {.kernel = {5, 1, 3}, .stride = {2, 1, 2}, .pad = {2, 0, 0}}};
  int i = 0;
  for (const VolumeWindow& window : windows) {
    for (const int64_t filters : {1, 8, 16, 40, 100}) {
      const ConvShape s =
          volume_shape(ImageOp::kTransposed, 1 + i % 2, {3, 4, 5}, 1 + i * 5 % 34, filters, window);
      const bool planes = i % 4 == 1;
      VolumeCase(s, extras_of(i), planes, planes ? 0 : i % 3).expect_image_conv();
      if (HasFatalFailure()) return;
      ++i;
    }
  }
}

/// Planes of few channels, which convolutions read where they lie.
TEST(VolumeConv, TransposedOnesOfPlanes) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  for (const int64_t channels : {1, 2, 3, 4, 5}) {
    for (const VolumeWindow& window :
         {VolumeWindow{.kernel = {2, 2, 2}, .stride = {2, 2, 2}},
          {.kernel = {4, 4, 4}, .stride = {2, 2, 2}, .pad = {1, 1, 1}},
          {.kernel = {1, 2, 6}, .stride = {1, 1, 3}, .pad = {0, 0, 2}}}) {
      VolumeCase(volume_shape(ImageOp::kTransposed, 1, {3, 4, 5}, channels, 20, window), {}, true)
          .expect_image_conv();
      if (HasFatalFailure()) return;
    }
  }
}

TEST(VolumeConv, TilesMatchPlainLoops) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  const VolumeWindow windows[] = {{.kernel = {3, 3, 3}, .pad = {1, 1, 1}},
                                  {.kernel = {1, 3, 3}, .stride = {2, 1, 1}, .pad = {0, 1, 1}},
                                  {.kernel = {3, 3, 3}, .stride = {2, 1, 1}, .pad = {1, 0, 1}},
                                  {.kernel = {2, 3, 3}, .pad = {2, 1, 0}, .dilation = {3, 1, 1}}};
  constexpr int64_t kPieces = 3;
  int i = 0;
  for (const VolumeWindow& window : windows) {
    for (const VolumeDims& in : {VolumeDims{4, 3, 4}, {5, 9, 13}, {2, 14, 14}}) {
      for (const int64_t filters : {5, 40}) {
        const ConvShape s =
            volume_shape(ImageOp::kConvolution, 1 + i % 2, in, 1 + i * 7 % 40, filters, window);
        const VolumeCase c(s, extras_of(i), false, i % 2);
        ASSERT_TRUE(takes_winograd(c.s));
        const WinogradWeights weights = {transform_weights(c.w.data(), c.layout), c.w.data(),
                                         c.layout};
        const Floats scratch(winograd_scratch_floats(c.s, kPieces));
        const double slack = 4;  // an error is relative to the pixels of a tile
        const auto run = [&](ImageConvCall call, const SplitWork& parallel,
                             const AfterRows& after) {
          call.scratch = scratch.data();
          winograd(call, weights, kPieces, parallel, after);
        };
        c.expect_all_ways(run, slack);
        if (HasFatalFailure()) return;
        // A tile whose sums leave the range of float32 is computed once more.
        c.x[c.x.size() / 2 / c.s.x_width_stride * c.s.x_width_stride] = HUGE_VALF;
        image_conv(c.call(), {});
        const std::vector<float> plain(c.out.data(), c.out.data() + c.out.size());
        run(c.call(), {}, {});
        for (int64_t at = 0; at < c.out.size(); ++at) {
          const float right = plain[static_cast<size_t>(at)];
          ASSERT_EQ(std::isnan(c.out[at]), std::isnan(right)) << at;
          ASSERT_EQ(std::isinf(c.out[at]), std::isinf(right)) << at;
        }
        ++i;
      }
    }
  }
}

/// Both vector widths transform alike, of the slices that are wanted.
TEST(VolumeConv, InstructionSetsAgreeOnTiles) {
  if (host_isa() != Isa::kAvx512) GTEST_SKIP() << "no AVX-512";
  for (const int64_t channels : {16, 24, 37}) {
    const VolumeCase c(volume_shape(ImageOp::kConvolution, 1, {3, 7, 9}, channels, 20, kWindows[0]),
                       {});
    const ImageConvCall call = c.call();
    WinogradTiles t;
    t.call = &call;
    t.begin = 5;
    t.end = 45;
    t.of_row = 5;
    t.of_column = 4;
    t.tap = 0;
    t.taps = 3;
    t.pixels_stride = (t.end - t.begin) * 3 * channels;
    const Floats narrow(16 * t.pixels_stride), wide(16 * t.pixels_stride, 7);
    t.pixels = narrow.data();
    transform_tiles_avx2(t);
    t.pixels = wide.data();
    transform_tiles_avx512(t);
    for (int64_t i = 0; i < wide.size(); ++i) ASSERT_EQ(narrow[i], wide[i]) << i;
  }
}

}  // namespace
}  // namespace torchweld::x86
