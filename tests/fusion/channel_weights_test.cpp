// prelu with a weight a channel.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

TEST(ChannelWeights, BroadcastOverPixels) {
  EXPECT_EQ(steps(R"(graph(%0: f32[2,6,4,5], %1: f32[6]):
  %2: f32[2,6,4,5] = aten::prelu(%0, %1)
  %3: f32[2,6,4,5] = aten::tanh(%2)
  return %3
)"),
            R"(kernel fused_prelu_tanh_f32 rank 3
  in0: f32[**1]
  in1: f32[010]
  %0 = load f32 in0
  %1 = load f32 in1
  %2 = mul f32 %0 %1
  %3 = const f32 0
  %4 = lt bool %3 %0
  %5 = select f32 %4 %0 %2
  %6 = tanh f32 %5
  out0: f32[**1] = %6
)");
}

TEST(ChannelWeights, OneForAllAndThoseOfTheLastDimAreAsTheyAre) {
  EXPECT_EQ(names(R"(graph(%0: f32[2,6,4], %1: f32[1], %2: f32[9,6], %3: f32[6]):
  %4: f32[2,6,4] = aten::prelu(%0, %1)
  %5: f32[9,6] = aten::prelu(%2, %3)
  return %4, %5
)",
                  float_rows()),
            "single_prelu_f32\nsingle_prelu_f32\n");
}

}  // namespace
}  // namespace torchweld::testing
