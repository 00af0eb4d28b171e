// Convolutions of volumes on the host.
#include "fusion/volume_conv.h"

#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

/// The plan of one convolution: its operator, and what the operator is told.
std::string plan_of(const std::string& volume, const std::string& call, const Target& target) {
  return planned("graph(%0: f32" + volume + R"():
  %1: f32[8,4,3,3,3] = constant(0)
  %2: f32[8] = constant(1)
  %3: f32[8,4,1,1,1] = constant(2)
  )" + call + "\n  return %4\n",
                 target);
}

TEST(VolumeConv, IsOneDnns) {
  for (const char* call :
       {"%4: f32[1,8,6,6,6] = aten::conv3d(%0, %1, %2, [1], [1, 1, 1], [1, 1, 1], 1)",
        "%4: f32[1,8,6,6,6] = aten::_convolution(%0, %1, %2, [1, 1, 1], [1, 1, 1], [1, 1, 1], "
        "false, "
        "[0, 0, 0], 1, false, false, true, true)"}) {
    EXPECT_EQ(plan_of("[1,4,6,6,6]", call, packs()),
              R"(step 0: library aten::mkldnn_convolution
  %4: f32[1,8,6,6,6] = aten::mkldnn_convolution(%0, %1, %2, [1, 1, 1], [1, 1, 1], [1, 1, 1], 1)
return %4 in eager
arena 0 of 0 bytes
)");
  }
}

TEST(VolumeConv, StaysWhereItIsAProductOrTransposedOrNotContiguous) {
  const auto has = [&](const std::string& volume, const std::string& call, const Target& target) {
    return plan_of(volume, call, target).find(kDnnConvolution) != std::string::npos;
  };
  EXPECT_FALSE(has("[1,4,6,6,6]", "%4: f32[1,8,6,6,6] = aten::conv3d(%0, %3, %2, [1], [0], [1], 1)",
                   packs()));
  EXPECT_FALSE(
      has("[1,4,6,6,6]",
          "%4: f32[1,8,6,6,6] = aten::_convolution(%0, %1, %2, [1, 1, 1], [1, 1, 1], [1, 1, "
          "1], true, [0, 0, 0], 1, false, false, true, true)",
          packs()));
  EXPECT_FALSE(has("[1,4,6,6,6]{864,1,144,24,4}",
                   "%4: f32[1,8,6,6,6] = aten::conv3d(%0, %1, %2, [1], [1], [1], 1)", packs()));
  EXPECT_FALSE(has("[1,4,6,6,6]", "%4: f32[1,8,6,6,6] = aten::conv3d(%0, %1, %2, [1], [1], [1], 1)",
                   Target{}));
}

}  // namespace
}  // namespace torchweld::testing
