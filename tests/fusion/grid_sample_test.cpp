// Images read at a grid's places, on the host: which nodes are steps of our own, and which stay.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

TEST(GridSample, IsAStepWhateverTheStrides) {
  EXPECT_EQ(
      names(
          R"(graph(%0: f32[2,3,5,7], %1: f32[2,4,6,2], %2: f32[2,3,5,7]{105,1,21,3}, %3: f64[1,2,3,4,5], %4: f64[1,2,2,2,3], %5: f32[2,4,6,2]{48,6,1,24}):
  %6: f32[2,3,4,6] = aten::grid_sampler(%0, %1, 0, 0, false)
  %7: f32[2,3,4,6]{72,1,18,3} = aten::grid_sampler_2d(%2, %5, 2, 1, true)
  %8: f64[1,2,2,2,2] = aten::grid_sampler_3d(%3, %4, 1, 2, true)
  return %6, %7, %8
)",
          float_rows(true)),
      R"(bilinear_sample_6x24_f32
bicubic_sample_6x24_f32
nearest_sample_2x8_f64
)");
}

TEST(GridSample, HalvesAndDevicesAreLeftToLibTorch) {
  const std::string text = R"(graph(%0: f16[2,3,5,7], %1: f16[2,4,6,2]):
  %2: f16[2,3,4,6] = aten::grid_sampler(%0, %1, 0, 0, false)
  return %2
)";
  EXPECT_EQ(names(text, float_rows(true)), "eager aten::grid_sampler\n");
  EXPECT_EQ(names(text, rows()), "eager aten::grid_sampler\n");
  EXPECT_EQ(
      plan(parse_graph(text), rows()).steps[0].reason,
      "reads where a grid says, for which only the host has a kernel, of float32 and float64");
}

TEST(GridSample, PaddingAndModeAreTheNodes) {
  const Plan made = plan(parse_graph(R"(graph(%0: f32[2,3,5,7], %1: f32[2,4,6,2]):
  %2: f32[2,3,4,6] = aten::grid_sampler(%0, %1, 2, 1, true)
  return %2
)"),
                         float_rows(true));
  const x86::GridSample& s = made.steps.at(0).grid_sample.sample;
  EXPECT_EQ(s.mode, x86::Interpolation::kBicubic);
  EXPECT_EQ(s.padding, x86::GridPadding::kBorder);
  EXPECT_TRUE(s.align_corners);
  EXPECT_EQ(s.x_sizes[0], 7);
  EXPECT_EQ(s.grid_sizes[0], 6);
  EXPECT_EQ(s.out_pixel, 1);
}

}  // namespace
}  // namespace torchweld::testing
