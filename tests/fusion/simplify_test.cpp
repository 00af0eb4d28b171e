// Identities, common subexpressions and dead code.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

std::string simplified(std::string_view text, Rounding rounding = Rounding::kDefault) {
  return after(text, [&](Graph* graph) {
    drop_views(graph);
    simplify(graph, target(rounding));
    drop_dead(graph);
  });
}

TEST(Simplify, PlusZeroTimesOneAndPowerOneVanish) {
  EXPECT_EQ(simplified(R"(graph(%0: f32[4]):
  %1: f32[4] = aten::add.Scalar(%0, 0, 1)
  %2: f32[4] = aten::mul.Scalar(%1, 1)
  %3: f32[4] = aten::sub.Scalar(%2, 0, 1)
  %4: f32[4] = aten::div.Scalar(%3, 1)
  %5: f32[4] = aten::pow.Tensor_Scalar(%4, 1)
  %6: f32[4] = aten::exp(%5)
  return %6
)"),
            R"(graph(%0: f32[4]):
  %6: f32[4] = aten::exp(%5)
  return %6
)");
}

TEST(Simplify, FactorsOfWhatIsWrittenInBetweenStayApart) {
  const std::string text = simplified(R"(graph(%0: f32[4]):
  %1: f32[4] = aten::mul.Scalar(%0, 3)
  %2: f32[2] @%1 = aten::slice.Tensor(%1, 0, 0, 2, 1)
  %2 <- aten::fill_.Scalar(%2, 0.5)
  %3: f32[4] = aten::mul.Scalar(%1, 2)
  return %3
)");
  EXPECT_NE(text.find("%3: f32[4] = aten::mul.Scalar(%1, 2)"), std::string::npos) << text;
}

TEST(Simplify, ExactRoundingKeepsPlusZeroButNotTimesOne) {
  // -0.0 + 0 is +0.0, and exact means every bit.
  EXPECT_EQ(simplified(R"(graph(%0: f32[4]):
  %1: f32[4] = aten::add.Scalar(%0, 0, 1)
  %2: f32[4] = aten::mul.Scalar(%1, 1)
  %3: f32[4] = aten::exp(%2)
  return %3
)",
                       Rounding::kExact),
            R"(graph(%0: f32[4]):
  %1: f32[4] = aten::add.Scalar(%0, 0, 1)
  %3: f32[4] = aten::exp(%2)
  return %3
)");
}

TEST(Simplify, AZeroTensorCountsAsZero) {
  EXPECT_EQ(simplified(R"(graph(%0: f32[4]):
  %1: f32[] is 0.0 = constant(0)
  %2: f32[4] = aten::add.Tensor(%0, %1, 1)
  %3: f32[4] = aten::exp(%2)
  return %3
)"),
            R"(graph(%0: f32[4]):
  %1: f32[] is 0.0 = constant(0)
  %3: f32[4] = aten::exp(%2)
  return %3
)");
}

TEST(Simplify, PlusZeroThatPromotesOrBroadcastsStays) {
  const std::string text = R"(graph(%0: i64[4], %1: f32[4]):
  %2: f32[] is 0.0 = constant(0)
  %3: f32[1,1] is 0.0 = constant(1)
  %4: f32[4] = aten::add.Tensor(%0, %2, 1)
  %5: f32[1,4] = aten::add.Tensor(%1, %3, 1)
  return %4, %5
)";
  EXPECT_EQ(simplified(text), text);
}

TEST(Simplify, AnIdentityThatLeavesTheBlockStays) {
  // The caller may write to the result, and it must not be the input then.
  const std::string text = R"(graph(%0: f32[4]):
  %1: f32[4] = aten::add.Scalar(%0, 0, 1)
  return %1
)";
  EXPECT_EQ(simplified(text), text);
}

TEST(Simplify, TwoTimesThreeIsSix) {
  const char* chain = R"(graph(%0: f32[4]):
  %1: f32[4] = aten::mul.Scalar(%0, 2)
  %2: f32[4] = aten::mul.Scalar(%1, 3)
  return %2
)";
  EXPECT_EQ(simplified(chain), R"(graph(%0: f32[4]):
  %2: f32[4] = aten::mul.Scalar(%0, 6.0)
  return %2
)");
  EXPECT_EQ(simplified(chain, Rounding::kExact), chain);
}

TEST(Simplify, FactorsOfIntegersMergeExactly) {
  const char* chain = R"(graph(%0: i32[4]):
  %1: i32[4] = aten::mul.Scalar(%0, 2)
  %2: i32[4] = aten::mul.Scalar(%1, -3)
  return %2
)";
  EXPECT_EQ(simplified(chain, Rounding::kExact), R"(graph(%0: i32[4]):
  %2: i32[4] = aten::mul.Scalar(%0, -6)
  return %2
)");
}

TEST(Simplify, FactorsThatUndoAnOverflowStay) {
  // x * 1e30 * 1e-30 is infinite for large x, x * 1 is not.
  const std::string text = R"(graph(%0: f32[4]):
  %1: f32[4] = aten::mul.Scalar(%0, 1e+30)
  %2: f32[4] = aten::mul.Scalar(%1, 1e-30)
  return %2
)";
  EXPECT_EQ(simplified(text), text);
}

TEST(Simplify, FactorsAroundAWriteStay) {
  const std::string text = R"(graph(%0: f32[4]):
  %1: f32[4] = aten::mul.Scalar(%0, 2)
  %0 <- aten::add_.Scalar(%0, 1, 1)
  %2: f32[4] = aten::mul.Scalar(%1, 3)
  return %2
)";
  EXPECT_EQ(simplified(text), text);
}

TEST(Simplify, BPlusBIsTwoB) {
  EXPECT_EQ(simplified(R"(graph(%0: f32[4]):
  %1: f32[4] = aten::add.Tensor(%0, %0, 1)
  return %1
)"),
            R"(graph(%0: f32[4]):
  %1: f32[4] = aten::mul.Scalar(%0, 2)
  return %1
)");
}

TEST(Simplify, BPlusTwiceBStays) {
  const std::string text = R"(graph(%0: f32[4]):
  %1: f32[4] = aten::add.Tensor(%0, %0, 2)
  return %1
)";
  EXPECT_EQ(simplified(text), text);
}

TEST(Simplify, CopiesVanishWhereNobodyWrites) {
  EXPECT_EQ(simplified(R"(graph(%0: f32[4]):
  %1: f32[4] = aten::clone(%0, none)
  %2: f32[4] @%1 = aten::to.dtype(%1, 6, false, false, none)
  %3: f32[4] = aten::exp(%2)
  return %3
)"),
            R"(graph(%0: f32[4]):
  %3: f32[4] = aten::exp(%2)
  return %3
)");
}

TEST(Simplify, CopiesOfWhatIsWrittenLaterStay) {
  const std::string text = R"(graph(%0: f32[4]):
  %1: f32[4] = aten::clone(%0, none)
  %0 <- aten::add_.Scalar(%0, 1, 1)
  %2: f32[4] = aten::exp(%1)
  return %2
)";
  EXPECT_EQ(simplified(text), text);
}

TEST(Simplify, ACastThatChangesTheTypeStays) {
  const std::string text = R"(graph(%0: f32[4]):
  %1: f64[4] = aten::to.dtype(%0, 7, false, false, none)
  %2: f64[4] = aten::exp(%1)
  return %2
)";
  EXPECT_EQ(simplified(text), text);
}

TEST(Simplify, EqualCallsAreShared) {
  EXPECT_EQ(simplified(R"(graph(%0: f32[4]):
  %1: f32[4] = aten::exp(%0)
  %2: f32[4] = aten::exp(%0)
  %3: f32[4] = aten::sub.Tensor(%1, %2, 1)
  return %3
)"),
            R"(graph(%0: f32[4]):
  %1: f32[4] = aten::exp(%0)
  %3: f32[4] = aten::sub.Tensor(%1, %1, 1)
  return %3
)");
}

TEST(Simplify, CallsOnEqualViewsAreShared) {
  EXPECT_EQ(simplified(R"(graph(%0: f32[2,3]):
  %1: f32[3,2]{1,3} @%0 = aten::t(%0)
  %2: f32[3,2]{1,3} @%0 = aten::transpose.int(%0, 0, 1)
  %3: f32[3,2]{1,3} = aten::exp(%1)
  %4: f32[3,2]{1,3} = aten::exp(%2)
  %5: f32[3,2]{1,3} = aten::mul.Tensor(%3, %4)
  return %5
)"),
            R"(graph(%0: f32[2,3]):
  %3: f32[3,2]{1,3} = aten::exp(%1)
  %5: f32[3,2]{1,3} = aten::mul.Tensor(%3, %3)
  return %5
)");
}

TEST(Simplify, EqualCallsAroundAWriteAreNot) {
  const std::string text = R"(graph(%0: f32[4]):
  %1: f32[4] = aten::relu(%0)
  %0 <- aten::add_.Scalar(%0, 1, 1)
  %2: f32[4] = aten::relu(%0)
  %3: f32[4] = aten::sub.Tensor(%1, %2, 1)
  return %3
)";
  EXPECT_EQ(simplified(text), text);
}

TEST(Simplify, EqualResultsThatBothLeaveStayTwo) {
  const std::string text = R"(graph(%0: f32[4]):
  %1: f32[4] = aten::exp(%0)
  %2: f32[4] = aten::exp(%0)
  return %1, %2
)";
  EXPECT_EQ(simplified(text), text);
}

TEST(Simplify, RandomDrawsAreNeitherSharedNorDropped) {
  const std::string text = R"(graph(%0: f32[4]):
  %1: f32[4] = aten::rand_like(%0, none, none, none, none, none) draws
  %2: f32[4] = aten::rand_like(%0, none, none, none, none, none) draws
  return %2
)";
  EXPECT_EQ(simplified(text), text);
}

TEST(Simplify, DeadChainsAreDropped) {
  EXPECT_EQ(simplified(R"(graph(%0: f32[4]):
  %1: f32[4] = aten::exp(%0)
  %2: f32[4] = aten::log(%1)
  %3: f32[4] = aten::sin(%0)
  return %3
)"),
            R"(graph(%0: f32[4]):
  %3: f32[4] = aten::sin(%0)
  return %3
)");
}

TEST(Simplify, WhatAWriteNeedsIsNotDead) {
  const std::string text = R"(graph(%0: f32[4]):
  %1: f32[4] = aten::exp(%0)
  %0 <- aten::add_.Tensor(%0, %1, 1)
  return
)";
  EXPECT_EQ(simplified(text), text);
}

TEST(Simplify, AHostReadIsNotDead) {
  const std::string text = R"(graph(%0: f32[]):
  %1: f32[] = aten::exp(%0)
  aten::item(%1) reads_host
  continue_on_value
)";
  EXPECT_EQ(simplified(text), text);
}

}  // namespace
}  // namespace torchweld::testing
