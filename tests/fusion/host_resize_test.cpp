// Resizes by hand on the host: which nodes they stand for, and what they take in.
#include "fusion/host_resize.h"

#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

/// The plan's steps on the host, by name, one a line.
std::string steps(std::string_view text) { return testing::names(text, float_rows(true)); }

TEST(HostResize, TakesEitherLayout) {
  EXPECT_EQ(
      steps(
          R"(graph(%0: f32[2,3,5,7], %1: f32[2,4,5,7]{140,1,28,4}, %2: f32[2,3,7], %3: f32[1,2,3,4,5]):
  %4: f32[2,3,10,14] = aten::upsample_bilinear2d.vec(%0, none, false, floats[2.0, 2.0])
  %5: f32[2,4,9,9]{324,1,36,4} = aten::upsample_bicubic2d(%1, [9, 9], true, none, none)
  %6: f32[2,3,2,3] = aten::_upsample_bilinear2d_aa.vec(%0, [2, 3], false, none)
  %7: f32[2,3,11] = aten::upsample_linear1d(%2, [11], false, none)
  %8: f32[1,2,6,8,10] = aten::upsample_trilinear3d.vec(%3, none, true, floats[2.0, 2.0, 2.0])
  %9: f32[2,3,10,14] = aten::_upsample_nearest_exact2d(%0, [10, 14], none, none)
  return %4, %5, %6, %7, %8, %9
)"),
      R"(linear_resize_6x10x14
cubic_resize_8x9x9
linear_resize_6x2x3
linear_resize_6x1x11
linear_resize_2x48x10
nearest_exact_resize_6x10x14
)");
}

TEST(HostResize, TakesInASummandAndARange) {
  EXPECT_EQ(steps(R"(graph(%0: f32[2,3,5,7], %1: f32[2,3,10,14], %2: f32[1,3,1,1]):
  %3: f32[2,3,10,14] = aten::upsample_bilinear2d(%0, [10, 14], false, none, none)
  %4: f32[2,3,10,14] = aten::add.Tensor(%1, %3, 1)
  %5: f32[2,3,10,14] = aten::relu(%4)
  %6: f32[2,3,10,14] = aten::upsample_nearest2d(%0, [10, 14], none, none)
  %7: f32[2,3,10,14] = aten::mul.Tensor(%6, %2)
  return %5, %7
)"),
            R"(linear_resize_6x10x14_add_relu
nearest_resize_6x10x14
single_mul_f32
)");
}

TEST(HostResize, OtherTypesAndDevicesAreKernels) {
  const std::string text = R"(graph(%0: f64[1,3,5,7], %1: f32[1,3,5,7]):
  %2: f64[1,3,10,14] = aten::upsample_bilinear2d(%0, [10, 14], false, none, none)
  %3: f32[1,3,10,14] = aten::upsample_bilinear2d(%1, [10, 14], false, none, none)
  return %2, %3
)";
  EXPECT_EQ(steps(text), "single_upsample_bilinear2d_f64\nlinear_resize_3x10x14\n");
  EXPECT_EQ(names(text, rows()),
            "single_upsample_bilinear2d_f64\nsingle_upsample_bilinear2d_f32\n");
  const Plan antialiased = plan(parse_graph(R"(graph(%0: f32[1,3,5,7]):
  %1: f32[1,3,2,3] = aten::_upsample_bilinear2d_aa(%0, [2, 3], false, none, none)
  return %1
)"),
                                rows());
  EXPECT_EQ(
      antialiased.steps.at(0).reason,
      "sees all pixels that a place covers, for which only the host has a kernel, of float32");
}

TEST(HostResize, TheSmallerOfTwoThatLieOtherwiseIsCopied) {
  EXPECT_EQ(steps(R"(graph(%0: f32[1,24,9,9]{24,1,216,24}):
  %1: f32[1,24,18,18] = aten::upsample_bilinear2d(%0, [18, 18], false, none, none)
  %2: f32[1,24,3,3] = aten::upsample_bilinear2d(%0, [3, 3], false, none, none)
  return %1, %2
)"),
            R"(single_upsample_bilinear2d_f32
linear_resize_24x18x18
linear_resize_24x3x3
single_upsample_bilinear2d_f32
)");
}

// Tokens seen as images: nothing is copied before the convolution.
TEST(HostResize, ChannelsStayInnermostWhereAConvolutionFollows) {
  Target on = float_rows(true);
  on.packed_convolutions = true;
  EXPECT_EQ(names(
                R"(graph(%0: f32[1,16,8,8]{16,1,128,16}, %1: f32[1,16,4,4]{16,1,64,16}):
  %2: f32[32,32,1,1] = constant(0)
  %3: f32[1,16,8,8] = aten::upsample_bilinear2d(%0, [8, 8], false, none, none)
  %4: f32[1,16,8,8] = aten::upsample_bilinear2d(%1, [8, 8], false, none, none)
  %5: f32[1,32,8,8] = aten::cat([%3, %4], 1)
  %6: f32[1,32,8,8] = aten::conv2d(%5, %2, none, [1, 1], [0, 0], [1, 1], 1)
  %7: f32[1,32,32,32] = aten::upsample_bilinear2d(%6, [32, 32], false, none, none)
  return %7
)",
                on),
            R"(linear_resize_16x8x8
linear_resize_16x8x8
single_cat_f32
conv_64x32x32
single_copy_f32
linear_resize_32x32x32
)");
}

TEST(HostResize, TablesAreOfTheNode) {
  const Plan made = plan(parse_graph(R"(graph(%0: f32[1,3,4,4]):
  %1: f32[1,3,8,2] = aten::upsample_bilinear2d(%0, [8, 2], true, none, none)
  return %1
)"),
                         float_rows(true));
  const x86::Resize& r = made.steps.at(0).resize.resize;
  EXPECT_EQ(r.columns.from, (std::vector<int32_t>{0, 1, 3, 3}));
  EXPECT_EQ(r.columns.weights, (std::vector<float>{1, 0, 1, 0}));
  EXPECT_EQ(r.rows.places(), 8);
  EXPECT_FALSE(r.channels_innermost);
}

}  // namespace
}  // namespace torchweld::testing
