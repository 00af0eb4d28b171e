// Which products are done by hand.
#include "fusion/host_matmul.h"

#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

/// The first line of the plan, which names its first step.
std::string first_step(std::string_view text, const Target& on = target()) {
  const std::string all = planned(text, on);
  return all.substr(0, all.find('\n'));
}

constexpr const char* kLinear = R"(graph(%0: f32[1,4]):
  %1: f32[8,4] = constant(0)
  %2: f32[8] = constant(1)
  %3: f32[1,8] = aten::linear(%0, %1, %2)
  return %3
)";

TEST(HostMatmulStep, OperandsOfALinearLayer) {
  EXPECT_EQ(planned(kLinear), R"(step 0: matmul_1x4x8
  %3: f32[1,8] = aten::linear(%0, %1, %2)
  x in input 0 {4,1}
  weight %1 {1,4}
  bias in constant 1
  out in output of 32 bytes {8,1}
return %3 in output of 32 bytes
arena 0 of 0 bytes
)");
}

TEST(HostMatmulStep, AddmmOfATransposedWeight) {
  EXPECT_EQ(planned(R"(graph(%0: f32[2,4]):
  %1: f32[8,4] = constant(0)
  %2: f32[4,8]{1,4} @%1 = aten::t(%1)
  %3: f32[8] = constant(1)
  %4: f32[2,8] = aten::addmm(%3, %0, %2, 1, 1)
  return %4
)"),
            R"(step 0: matmul_2x4x8
  %4: f32[2,8] = aten::addmm(%3, %0, %2, 1, 1)
  x in input 0 {4,1}
  weight %2 {1,4}
  bias in constant 1
  out in output of 64 bytes {8,1}
return %4 in output of 64 bytes
arena 0 of 0 bytes
)");
}

TEST(HostMatmulStep, WithoutHandWrittenKernelsTheLibraryDoesIt) {
  Target none = target();
  none.hand_kernels = false;
  EXPECT_EQ(first_step(kLinear, none), "step 0: library aten::linear");
}

TEST(HostMatmulStep, LargeProductsAreDoneByHandToo) {
  EXPECT_EQ(first_step(R"(graph(%0: f32[512,512]):
  %1: f32[512,512] = constant(0)
  %2: f32[512,512] = aten::linear(%0, %1, none)
  return %2
)"),
            "step 0: matmul_512x512x512");
}

TEST(HostMatmulStep, AWeightThatIsNoConstantIsNotPacked) {
  EXPECT_EQ(first_step(R"(graph(%0: f32[1,4], %1: f32[4,4]):
  %2: f32[1,4] = aten::mm(%0, %1)
  return %2
)"),
            "step 0: product_1x1x4x4");
}

TEST(HostMatmulStep, OtherTypesScaledAddmmAndEmptyOnesAreTheLibrarys) {
  EXPECT_EQ(first_step(R"(graph(%0: f64[1,4]):
  %1: f64[4,4] = constant(0)
  %2: f64[1,4] = aten::mm(%0, %1)
  return %2
)"),
            "step 0: library aten::mm");
  EXPECT_EQ(first_step(R"(graph(%0: f32[1,4]):
  %1: f32[4,4] = constant(0)
  %2: f32[4] = constant(1)
  %3: f32[1,4] = aten::addmm(%2, %0, %1, 0.5, 1)
  return %3
)"),
            "step 0: library aten::addmm");
  EXPECT_EQ(first_step(R"(graph(%0: f32[0,4]):
  %1: f32[4,4] = constant(0)
  %2: f32[0,4] = aten::mm(%0, %1)
  return %2
)"),
            "step 0: library aten::mm");
}

TEST(HostMatmulStep, AnotherResultAndReluJoinTheProduct) {
  EXPECT_EQ(planned(R"(graph(%0: f32[2,4], %1: f32[2,8]):
  %2: f32[8,4] = constant(0)
  %3: f32[8] = constant(1)
  %4: f32[2,8] = aten::linear(%0, %2, %3)
  %5: f32[2,8] = aten::add.Tensor(%1, %4, 1)
  %6: f32[2,8] = aten::relu(%5)
  return %6
)"),
            R"(step 0: matmul_2x4x8_add_relu
  %4: f32[2,8] = aten::linear(%0, %2, %3)
  %5: f32[2,8] = aten::add.Tensor(%1, %4, 1)
  %6: f32[2,8] = aten::relu(%5)
  x in input 0 {4,1}
  weight %2 {1,4}
  bias in constant 1
  plus input 1 {8,1}
  out in output of 64 bytes {8,1}
return %6 in output of 64 bytes
arena 0 of 0 bytes
)");
}

TEST(HostMatmulStep, WhatOthersReadOrScaledSummandsStayOut) {
  EXPECT_EQ(first_step(R"(graph(%0: f32[1,4], %1: f32[1,8]):
  %2: f32[8,4] = constant(0)
  %3: f32[1,8] = aten::linear(%0, %2, none)
  %4: f32[1,8] = aten::relu(%3)
  return %3, %4
)"),
            "step 0: matmul_1x4x8");
  EXPECT_EQ(first_step(R"(graph(%0: f32[1,4], %1: f32[1,8]):
  %2: f32[8,4] = constant(0)
  %3: f32[1,8] = aten::linear(%0, %2, none)
  %4: f32[1,8] = aten::add.Tensor(%3, %1, 2)
  return %4
)"),
            "step 0: matmul_1x4x8_then_add_f32");
  EXPECT_EQ(first_step(R"(graph(%0: f32[1,4], %1: f32[8]):
  %2: f32[8,4] = constant(0)
  %3: f32[1,8] = aten::linear(%0, %2, none)
  %4: f32[1,8] = aten::add.Tensor(%3, %1, 1)
  return %4
)"),
            "step 0: matmul_1x4x8_then_add_f32");
}

TEST(HostMatmulStep, ExactNumericsLeaveItToTheLibrary) {
  Target exact = target(Rounding::kExact);
  exact.hand_kernels = false;
  EXPECT_EQ(first_step(kLinear, exact), "step 0: library aten::linear");
}

TEST(HostMatmulStep, FewColumnsOfManyRowsOnTheWeightAsItIs) {
  EXPECT_EQ(planned(R"(graph(%0: f32[128,387]):
  %1: f32[4,387] = constant(0)
  %2: f32[128,4] = aten::linear(%0, %1, none)
  return %2
)"),
            R"(step 0: matmul_128x387x4
  %2: f32[128,4] = aten::linear(%0, %1, none)
  x in input 0 {387,1}
  weight %1 {1,387} as it is
  out in output of 2048 bytes {4,1}
return %2 in output of 2048 bytes
arena 0 of 0 bytes
)");
}

TEST(HostMatmulStep, RowsThatAreNoOneWalkAreCopied) {
  EXPECT_EQ(first_step(R"(graph(%0: f32[2,3,4]{4,8,1}):
  %1: f32[4,4] = constant(0)
  %2: f32[2,3,4] = aten::linear(%0, %1, none)
  return %2
)"),
            "step 0: fused single_linear_f32 over [2,3,4]");
}

}  // namespace
}  // namespace torchweld::testing
