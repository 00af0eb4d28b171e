// Which convolutions by hand go by tiles.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

TEST(WinogradStep, IsChosenWhereItIsFasterAndAllowed) {
  const char* const graph = R"(graph(%0: f32[1,64,14,14]):
  %1: f32[64,64,3,3] = constant(0)
  %2: f32[32,64,3,3] = constant(1)
  %3: f32[16,32,3,3] = constant(2)
  %4: f32[9,16,3,3] = constant(3)
  %5: f32[1,64,14,14] = aten::conv2d(%0, %1, none, [1, 1], [1, 1], [1, 1], 1)
  %6: f32[1,64,14,14] = aten::relu(%5)
  %7: f32[1,32,14,14] = aten::conv2d(%6, %2, none, [1, 1], [2, 2], [2, 2], 1)
  %8: f32[1,16,12,12] = aten::conv2d(%7, %3, none, [1, 1], [0, 0], [1, 1], 1)
  %9: f32[1,9,10,10] = aten::conv2d(%8, %4, none, [1, 1], [0, 0], [1, 1], 1)
  return %9
)";
  Target on = packs();
  on.hand_kernels = true;
  on.reassociates = true;
  EXPECT_EQ(names(graph, on), R"(single_copy_f32
winograd_conv_196x576x64_relu
conv_196x576x32
winograd_conv_144x288x16
conv_100x144x9
single_copy_f32
)");
  on.reassociates = false;
  EXPECT_EQ(names(graph, on), R"(single_copy_f32
conv_196x576x64_relu
conv_196x576x32
conv_144x288x16
conv_100x144x9
single_copy_f32
)");
}

}  // namespace
}  // namespace torchweld::testing
