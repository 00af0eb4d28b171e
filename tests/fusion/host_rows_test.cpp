// Rows by hand on the host: which nodes they stand for.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

/// The plan's steps on the host, by name, one a line.
std::string steps(std::string_view text) { return testing::names(text, float_rows(true)); }

TEST(HostRows, ExtremesAndTheirPlacesAreOneStep) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30,7]):
  %1: f32[4,7], %2: i64[4,7] = aten::max.dim(%0, 1, false)
  %3: f32[4,30,1], %4: i64[4,30,1] = aten::min.dim(%0, -1, true)
  return %1, %2, %3, %4
)"),
            R"(max_28x30_f32
min_120x7_f32
)");
}

TEST(HostRows, AnExtremeWhosePlaceNobodyReadsFuses) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30], %1: f32[4,30]):
  %2: f32[4], %3: i64[4] = aten::max.dim(%0, 1, false)
  %4: f32[4], %5: i64[4] = aten::min.dim(%1, 1, false)
  %6: f32[4] = aten::relu(%2)
  return %6, %5
)"),
            R"(fused_max_relu_f32
argmin_4x30_f32
)");
}

TEST(HostRows, ExtremesOfIntegersAndPlacesOfAll) {
  EXPECT_EQ(steps(R"(graph(%0: f16[4,30], %1: u8[4,30]):
  %2: i64[] = aten::argmax(%0, none, false)
  %3: i64[4,1] = aten::argmin(%1, 1, true)
  %4: u8[30] = aten::amax(%1, [0], false)
  %5: u8[] = aten::min(%1)
  return %2, %3, %4, %5
)"),
            R"(argmax_1x120_f16
argmin_4x30_u8
max_30x4_u8
min_1x120_u8
)");
}

TEST(HostRows, SumsOfIntegersAndTruth) {
  EXPECT_EQ(steps(R"(graph(%0: i32[4,30], %1: bool[4,30], %2: f32[4,30]):
  %3: i64[4] = aten::sum.dim_IntList(%0, [1], false, none)
  %4: i64[] = aten::prod(%1, none)
  %5: bool[30] = aten::any.dim(%2, 0, false)
  %6: bool[] = aten::all(%1)
  return %3, %4, %5, %6
)"),
            R"(sum_4x30_i32
prod_1x120_bool
any_30x4_f32
all_1x120_bool
)");
}

TEST(HostRows, RunningSumsAndProducts) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30,2], %1: bool[4,30], %2: bf16[9]):
  %3: f32[4,30,2] = aten::cumsum(%0, 1, none)
  %4: i64[4,30] = aten::cumprod(%1, -1, none)
  %5: bf16[9] = aten::cumsum(%2, 0, none)
  return %3, %4, %5
)"),
            R"(cumsum_8x30_f32
cumprod_4x30_bool
cumsum_1x9_bf16
)");
}

TEST(HostRows, OtherTypesAndLayoutsStay) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30], %1: i64[4,30], %2: u8[4,30], %3: f32[0,3]):
  %5: i64[4] = aten::sum.dim_IntList(%0, [1], false, 4)
  %6: f64[4,30] = aten::cumsum(%0, 1, 7)
  %7: f32[4,30] = aten::cumsum(%1, 1, 6)
  %8: u8[4] = aten::any.dim(%2, 1, false)
  %9: f32[0,3] = aten::cumsum(%3, 1, none)
  return %5, %6, %7, %8, %9
)"),
            R"(eager aten::sum.dim_IntList
eager aten::cumsum
eager aten::cumsum
eager aten::any.dim
eager aten::cumsum
)");
}

}  // namespace
}  // namespace torchweld::testing
