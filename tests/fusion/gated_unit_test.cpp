// glu in kernels.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

TEST(GatedUnit, ReadsBothHalvesInTheKernelOfItsNeighbours) {
  const std::string text = planned(R"(graph(%0: f32[2,8,5]):
  %1: f32[2,4,5] = aten::glu(%0, -2)
  %2: f32[2,4,5] = aten::relu(%1)
  return %2
)");
  EXPECT_TRUE(text.starts_with("step 0: fused fused_glu_relu_f32 over [2,20]\n")) << text;
}

TEST(GatedUnit, HalvesStay) {
  const std::string text = planned(R"(graph(%0: f16[4]):
  %1: f16[2] = aten::glu(%0, 0)
  return %1
)");
  EXPECT_TRUE(text.starts_with("step 0: eager aten::glu")) << text;
}

}  // namespace
}  // namespace torchweld::testing
