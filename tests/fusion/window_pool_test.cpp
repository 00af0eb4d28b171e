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
