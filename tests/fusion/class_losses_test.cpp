// Losses of classes: what is read by name, and what is one kernel with the rows.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

/// The plan's steps on the host, by name, one a line.
std::string names(std::string_view text) { return testing::names(text, float_rows(true)); }

TEST(ClassLosses, OfNamedClassesReadOneElementOfEachRow) {
  EXPECT_EQ(names(R"(graph(%0: f32[4,30], %1: i64[4], %2: f32[30]):
  %3: f32[4,30] = aten::tanh(%0)
  %4: f32[] = aten::cross_entropy_loss(%3, %1, %2, 1, -100, 0.1)
  return %4
)"),
            R"(fused_tanh_cross_entropy_loss_f32
single_cross_entropy_loss_i64
gather_4x4B
gather_4x4B
single_cross_entropy_loss_f32
)");
}

TEST(ClassLosses, OfProbabilitiesAreOneKernel) {
  EXPECT_EQ(names(R"(graph(%0: f32[4,30], %1: f32[4,30]):
  %2: f32[4,30] = aten::tanh(%0)
  %3: f32[4] = aten::cross_entropy_loss(%2, %1, none, 0, -100, 0.0)
  return %3
)"),
            R"(fused_tanh_cross_entropy_loss_f32
)");
}

TEST(ClassLosses, OfMarginsAreRowsOverAllOtherClasses) {
  EXPECT_EQ(names(R"(graph(%0: f32[4,30], %1: i64[4]):
  %2: f32[] = aten::multi_margin_loss(%0, %1, 1, 1.0, none, 1)
  return %2
)"),
            R"(gather_4x4B
single_multi_margin_loss_f32
single_multi_margin_loss_f32
single_multi_margin_loss_f32
)");
}

TEST(ClassLosses, OtherTypesAndManyShortRowsStay) {
  EXPECT_EQ(names(R"(graph(%0: f16[4,30], %1: u8[4], %2: f32[4,30], %3: f32[900,30], %4: i64[900]):
  %5: i64[4] = aten::to.dtype(%1, 4, false, false, none)
  %6: f16[] = aten::cross_entropy_loss(%0, %5, none, 1, -100, 0.0)
  %7: f32[] = aten::nll_loss_nd(%2, %1, none, 1, -100)
  %8: f32[] = aten::cross_entropy_loss(%3, %4, none, 1, -100, 0.0)
  return %6, %7, %8
)"),
            R"(single_copy_i64
eager aten::cross_entropy_loss
eager aten::nll_loss_nd
eager aten::cross_entropy_loss
)");
}

}  // namespace
}  // namespace torchweld::testing
