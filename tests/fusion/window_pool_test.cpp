// Poolings by hand on the host: which nodes they stand for.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

/// The plan's steps on the host, by name, one a line.
std::string steps(std::string_view text) { return testing::names(text, float_rows(true)); }

TEST(WindowPool, AveragesOfAnyWindows) {
  EXPECT_EQ(steps(R"(graph(%0: f32[2,4,9,9], %1: f32[2,40,9,9]{3240,1,360,40}, %2: f32[2,4,30]):
  %3: f32[2,4,9,9] = aten::avg_pool2d(%0, [3, 3], [1, 1], [1, 1], false, false, none)
  %4: f32[2,40,5,5]{1000,1,200,40} = aten::avg_pool2d(%1, [2, 2], [2, 2], [0, 0], true, true, none)
  %5: f32[2,4,2,5] = aten::adaptive_avg_pool2d(%0, [2, 5])
  %6: f32[2,4,10] = aten::avg_pool1d(%2, [3], [3], [0], false, true)
  return %3, %4, %5, %6
)"),
            R"(avg_pool_8x9x9
avg_pool_80x5x5
avg_pool_8x2x5
avg_pool_8x1x10
)");
}

TEST(WindowPool, MaximaAndTheirPlaces) {
  EXPECT_EQ(steps(R"(graph(%0: f32[2,4,9,9]):
  %1: f32[2,4,2,2], %2: i64[2,4,2,2] = aten::adaptive_max_pool2d(%0, [2, 2])
  %3: f32[2,4,3,3], %4: i64[2,4,3,3] = aten::adaptive_max_pool2d(%0, [3, 3])
  %5: f32[2,4,5,5] = aten::max_pool2d(%0, [2, 2], [2, 2], [0, 0], [1, 1], true)
  return %1, %2, %3, %5
)"),
            R"(max_pool_8x2x2
max_pool_8x3x3
max_pool_8x5x5
)");
}

TEST(WindowPool, AResultThatLiesOtherwiseIsACopy) {
  EXPECT_EQ(steps(R"(graph(%0: f32[1,24,9,9]{24,1,216,24}, %1: f32[2,4,9,9]):
  %2: f32[1,24,7,7] = aten::adaptive_avg_pool2d(%0, [7, 7])
  %3: f32[2,4,5,5]{100,1,20,4} = aten::max_pool2d(%1, [2, 2], [2, 2], [0, 0], [1, 1], true)
  return %2, %3
)"),
            R"(avg_pool_24x7x7
single_adaptive_avg_pool2d_f32
max_pool_8x5x5
single_max_pool2d_f32
)");
}

TEST(WindowPool, AllOfAnImageIsARow) {
  EXPECT_EQ(steps(R"(graph(%0: f32[2,4,9,9]):
  %1: f32[2,4,1,1], %2: i64[2,4,1,1] = aten::adaptive_max_pool2d(%0, [1, 1])
  %3: f32[2,4,1,1] = aten::adaptive_avg_pool2d(%0, [1, 1])
  %4: f32[2,4,1,1] = aten::relu(%1)
  return %3, %4
)"),
            R"(fused_adaptive_max_pool2d_relu_f32
single_adaptive_avg_pool2d_f32
)");
}

TEST(WindowPool, Volumes) {
  EXPECT_EQ(
      steps(R"(graph(%0: f32[2,4,5,9,9], %1: f32[4,5,9,9], %2: f32[2,8,5,9,9]{3240,1,648,72,8}):
  %3: f32[2,4,2,4,4] = aten::max_pool3d(%0, [2, 2, 2], [], [0, 0, 0], [1, 1, 1], false)
  %4: f32[2,4,3,5,5], %5: i64[2,4,3,5,5] = aten::max_pool3d_with_indices(%0, [3, 3, 3], [2, 2, 2], [1, 1, 1], [1, 1, 1], true)
  %6: f32[4,3,5,5] = aten::avg_pool3d(%1, [2, 2, 2], [2, 2, 2], [0, 0, 0], true, false, none)
  %7: f32[2,4,5,9,9] = aten::avg_pool3d(%0, [3, 3, 3], [1, 1, 1], [1, 1, 1], false, true, 5)
  %8: f32[2,8,2,4,3]{192,1,96,24,8} = aten::adaptive_avg_pool3d(%2, [2, 4, 3])
  %9: f32[2,4,2,4,3], %10: i64[2,4,2,4,3] = aten::adaptive_max_pool3d(%0, [2, 4, 3])
  return %3, %4, %5, %6, %7, %8, %9
)"),
      R"(max_pool_8x2x4x4
max_pool_8x3x5x5
avg_pool_4x3x5x5
avg_pool_8x5x9x9
avg_pool_16x2x4x3
max_pool_8x2x4x3
)");
}

TEST(WindowPool, AVolumesResultThatLiesOtherwiseIsACopy) {
  EXPECT_EQ(steps(R"(graph(%0: f32[1,8,5,9,9]{3240,1,648,72,8}, %1: f32[8,5,9,9]{1,648,72,8}):
  %2: f32[1,8,2,4,3] = aten::adaptive_avg_pool3d(%0, [2, 4, 3])
  %3: f32[8,2,4,4] = aten::avg_pool3d(%1, [2, 2, 2], [2, 2, 2], [0, 0, 0], false, true, 7)
  %4: f32[1,8,2,3,4], %5: i64[1,8,2,3,4] = aten::adaptive_max_pool3d(%0, [2, 3, 4])
  return %2, %3, %4, %5
)"),
            R"(avg_pool_8x2x4x3
single_adaptive_avg_pool3d_f32
avg_pool_8x2x4x4
single_avg_pool3d_f32
max_pool_8x2x3x4
single_adaptive_max_pool3d_f32
single_adaptive_max_pool3d_i64
)");
}

TEST(WindowPool, PlacesWhoseNumbersDependOnLibTorchsVectorsAreItsOwn) {
  EXPECT_EQ(
      steps(R"(graph(%0: f32[1,8,5,9,9]{3240,1,648,72,8}, %1: f32[1,16,5,9,9]{6480,1,1296,144,16}):
  %2: f32[1,8,2,4,4]{256,1,128,32,8}, %3: i64[1,8,2,4,4]{256,1,128,32,8} = aten::max_pool3d_with_indices(%0, [2, 2, 2], [], [0, 0, 0], [1, 1, 1], false)
  %4: f32[1,16,2,4,4]{512,1,256,64,16}, %5: i64[1,16,2,4,4]{512,1,256,64,16} = aten::max_pool3d_with_indices(%1, [2, 2, 2], [], [0, 0, 0], [1, 1, 1], false)
  return %2, %3, %4, %5
)"),
      R"(eager aten::max_pool3d_with_indices
max_pool_16x2x4x4
)");
}

TEST(WindowPool, AllOfAVolumeIsARow) {
  EXPECT_EQ(steps(R"(graph(%0: f32[2,4,5,9,9]):
  %1: f32[2,4,1,1,1], %2: i64[2,4,1,1,1] = aten::adaptive_max_pool3d(%0, [1, 1, 1])
  %3: f32[2,4,1,1,1] = aten::adaptive_avg_pool3d(%0, [1, 1, 1])
  return %1, %3
)"),
            R"(single_adaptive_max_pool3d_f32
single_adaptive_avg_pool3d_f32
)");
}

TEST(WindowPool, OfOneChannelPixelsFillVectors) {
  EXPECT_EQ(steps(R"(graph(%0: f32[2,1,9,9], %1: f32[2,1,14,7,7]):
  %2: f32[2,1,4,4] = aten::max_pool2d(%0, [2, 2], [], [0, 0], [1, 1], false)
  %3: f32[2,1,10,7,7] = aten::avg_pool3d(%1, [5, 1, 1], [1, 1, 1], [0, 0, 0], false, true, none)
  %4: f32[2,1,7,7] = aten::max_pool2d(%0, [2, 2], [1, 1], [0, 0], [2, 2], false)
  return %2, %3, %4
)"),
            R"(max_pool_2x4x4
avg_pool_2x10x7x7
max_pool_98x4x1
)");
}

TEST(WindowPool, OtherTypesAndLayoutsAreGenerated) {
  EXPECT_EQ(steps(R"(graph(%0: f64[2,4,9,9], %1: f32[2,4,9,9]{648,162,18,2}, %2: f32[2,4,9,9]):
  %3: f64[2,4,2,2] = aten::adaptive_avg_pool2d(%0, [2, 2])
  %4: f32[2,4,2,2] = aten::adaptive_avg_pool2d(%1, [2, 2])
  %5: f32[2,4,8,8] = aten::max_pool2d(%2, [2, 2], [1, 1], [1, 1], [3, 3], false)
  return %3, %4, %5
)"),
            R"(single_adaptive_avg_pool2d_f64
single_adaptive_avg_pool2d_f32
single_max_pool2d_f32
)");
}

}  // namespace
}  // namespace torchweld::testing
