// Operators by element whose operands don't broadcast as they are recorded.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

TEST(PlainOperands, WeightsOfChannelsBroadcastOverPixels) {
  EXPECT_EQ(steps(R"(graph(%0: f32[2,6,4,5], %1: f32[6]):
  %2: f32[2,6,4,5] = aten::prelu(%0, %1)
  %3: f32[2,6,4,5] = aten::tanh(%2)
  return %3
)"),
            R"(kernel fused_prelu_tanh_f32 rank 3
  in0: f32[**1]
  in1: f32[010]
  %0 = load f32 in0
  %1 = const f32 0
  %2 = lt bool %1 %0
  %3 = load f32 in1
  %4 = mul f32 %0 %3
  %5 = select f32 %2 %0 %4
  %6 = tanh f32 %5
  out0: f32[**1] = %6
)");
}

TEST(PlainOperands, OtherWeightsAreAsTheyAre) {
  EXPECT_EQ(names(R"(graph(%0: f32[2,6,4], %1: f32[1], %2: f32[9,6], %3: f32[6]):
  %4: f32[2,6,4] = aten::prelu(%0, %1)
  %5: f32[9,6] = aten::prelu(%2, %3)
  return %4, %5
)",
                  float_rows()),
            "single_prelu_f32\nsingle_prelu_f32\n");
}

TEST(PlainOperands, ACastDoesNotReadItsExample) {
  EXPECT_EQ(steps(R"(graph(%0: i64[24], %1: f32[2,12,48]):
  %2: f32[24] = aten::type_as(%0, %1)
  %3: f32[24] = aten::exp(%2)
  return %3
)"),
            R"(kernel fused_copy_exp_f32 rank 1
  in0: i64[1]
  %0 = load i64 in0
  %1 = cast f32 %0
  %2 = exp f32 %1
  out0: f32[1] = %2
)");
}

TEST(PlainOperands, AWindowEndsWhereTheImageDoes) {
  EXPECT_EQ(steps(R"(graph(%0: f32[2,6,2,3]):
  %1: f32[2,6,1,1] = aten::avg_pool2d(%0, [320], [], [0, 0], true, true, none)
  return %1
)"),
            R"(kernel single_avg_pool2d_f32 rank 2 reduced 1
  in0: f32[*1]
  %0 = load f32 in0
  %1 = sum f32 %0
  %2 = param i64 0
  %3 = cast f32 %2
  %4 = div f32 %1 %3
  out0: f32[10] = %4 a row
)");
}

}  // namespace
}  // namespace torchweld::testing
