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

Target by_hand() {
  Target on = packs();
  on.hand_kernels = true;
  on.float_rows = true;
  on.reassociates = true;
  return on;
}

TEST(VolumeConvStep, TakesBatchNormSummandRangeAndPoolings) {
  EXPECT_EQ(planned(R"(graph(%0: f32[1,3,4,12,12]):
  %1: f32[32,3,3,5,5] = constant(0)
  %2: f32[32,32,3,3,3] = constant(1)
  %3: f32[48,32,1,1,1] = constant(2)
  %4: f32[32] = constant(3)
  %5: f32[1,32,4,6,6] = aten::conv3d(%0, %1, none, [1, 2, 2], [1, 2, 2], [1, 1, 1], 1)
  %6: f32[1,32,4,6,6] = aten::batch_norm(%5, %4, %4, %4, %4, false, 0.1, 1e-05, true)
  %7: f32[1,32,4,6,6] = aten::relu(%6)
  %8: f32[1,32,4,6,6] = aten::conv3d(%7, %2, %4, [1, 1, 1], [1, 1, 1], [1, 1, 1], 1)
  %9: f32[1,32,4,6,6] = aten::add.Tensor(%8, %7, 1)
  %10: f32[1,32,4,6,6] = aten::relu(%9)
  %11: f32[1,32,2,3,3] = aten::max_pool3d(%10, [2, 2, 2], [2, 2, 2], [0, 0, 0], [1, 1, 1], false)
  %12: f32[1,48,2,3,3] = aten::conv3d(%11, %3, none, [1, 1, 1], [0, 0, 0], [1, 1, 1], 1)
  %13: f32[1,48] = aten::mean.dim(%12, [2, 3, 4], false, none)
  return %13
)",
                    by_hand()),
            R"(step 0: conv_144x225x32_relu
  %26: f32[1,32,4,6,6]{4608,1,1152,192,32} = torchweld::conv2d(%0, %1, %25, [1, 2, 2], [1, 2, 2], [1, 1, 1], 1, %19)
  %27: f32[1,32,4,6,6]{4608,1,1152,192,32} = aten::relu(%26)
step 1: winograd_conv_144x864x32_add_relu
  %28: f32[1,32,4,6,6]{4608,1,1152,192,32} = torchweld::conv2d(%27, %2, %4, [1, 1, 1], [1, 1, 1], [1, 1, 1], 1)
  %29: f32[1,32,4,6,6]{4608,1,1152,192,32} = aten::add.Tensor(%28, %27, 1)
  %30: f32[1,32,4,6,6]{4608,1,1152,192,32} = aten::relu(%29)
step 2: max_pool_18x8x32
  %31: f32[1,32,2,3,3]{576,1,288,96,32} = aten::max_pool3d(%30, [2, 2, 2], [2, 2, 2], [0, 0, 0], [1, 1, 1], false)
step 3: conv_18x32x48
  %32: f32[1,48,2,3,3]{864,1,432,144,48} = torchweld::conv2d(%31, %3, none, [1, 1, 1], [0, 0, 0], [1, 1, 1], 1)
step 4: avg_pool_1x18x48
  %34: f32[1,48,1,1,1]{48,1,48,48,48} = aten::adaptive_avg_pool3d(%32, [1, 1, 1])
return %13 in output of 192 bytes
arena 333824 of 351296 bytes
)");
}

TEST(VolumeConvStep, TokensOfPatchesAreNotCopied) {
  EXPECT_EQ(planned(R"(graph(%0: f32[1,3,4,12,12]):
  %1: f32[64,3,2,4,4] = constant(0)
  %2: f32[64] = constant(1)
  %3: f32[96,64] = constant(2)
  %4: f32[1,64,2,3,3] = aten::conv3d(%0, %1, %2, [2, 4, 4], [0, 0, 0], [1, 1, 1], 1)
  %5: f32[1,64,18] @%4 = aten::flatten.using_ints(%4, 2, 4)
  %6: f32[1,18,64]{1152,1,18} @%4 = aten::transpose.int(%5, 1, 2)
  %7: f32[1,18,96] = aten::linear(%6, %3, none)
  return %7
)",
                    by_hand()),
            R"(step 0: conv_18x96x64
  %8: f32[1,64,2,3,3]{1152,1,576,192,64} = torchweld::conv2d(%0, %1, %2, [2, 4, 4], [0, 0, 0], [1, 1, 1], 1)
step 1: matmul_18x64x96
  %7: f32[1,18,96] = aten::linear(%9, %3, none)
  x in arena 0..4608 {64,1}
  weight %3 {1,64}
  out in output of 6912 bytes {96,1}
return %7 in output of 6912 bytes
arena 4992 of 4992 bytes
)");
}

/// What lies between, by name.
TEST(VolumeConvStep, TransposedOnesAndFiltersOfAChannel) {
  EXPECT_EQ(names(R"(graph(%0: f32[1,32,3,4,4]):
  %1: f32[32,24,2,2,2] = constant(0)
  %2: f32[24,1,3,3,3] = constant(1)
  %3: f32[24] = constant(2)
  %4: f32[1,24,6,8,8] = aten::conv_transpose3d.input(%0, %1, %3, [2, 2, 2], [0, 0, 0], [0, 0, 0], 1, [1, 1, 1])
  %5: f32[1,24,6,8,8] = aten::relu(%4)
  %6: f32[1,24,6,8,8] = aten::conv3d(%5, %2, %3, [1, 1, 1], [1, 1, 1], [1, 1, 1], 24)
  %7: f32[1,24,3,4,4] = aten::avg_pool3d(%6, [2, 2, 2], [2, 2, 2], [0, 0, 0], false, true, none)
  %8: f32[1,24,1,1,1] = aten::adaptive_avg_pool3d(%7, [1, 1, 1])
  return %8
)",
                  by_hand()),
            "single_copy_f32\nconv_transpose_384x256x24_relu\ndepthwise_conv_384x27x24\n"
            "avg_pool_48x8x24\navg_pool_1x48x24\n");
}

/// Which lie the same way in both layouts.
TEST(VolumeConvStep, VoxelsAreTheKernelsToo) {
  EXPECT_EQ(names(R"(graph(%0: f32[1,16,1,1,1]):
  %1: f32[32,16,3,3,3] = constant(0)
  %2: f32[32] = constant(1)
  %3: f32[1,32,1,1,1] = aten::conv3d(%0, %1, none, [1, 1, 1], [1, 1, 1], [1, 1, 1], 1)
  %4: f32[1,32,1,1,1] = aten::batch_norm(%3, %2, %2, %2, %2, false, 0.1, 1e-05, true)
  return %4
)",
                  by_hand()),
            "conv_1x432x32\n");
}

/// A slice of the result that sees padding alone, few channels of a group, a filter that isn't
/// constant.
TEST(VolumeConvStep, OthersStayWithLibTorch) {
  const auto taken = [](const std::string& made, const std::string& arguments) {
    const std::string text = planned(
        "graph(%0: f32[1,16,2,8,8], %3: f32[16,16,1,1,1]):\n  %1: f32[16,16,1,1,1] = constant(0)\n"
        "  %2: f32[16,4,1,1,1] = constant(1)\n  %4: f32[1,16," +
            made + "] = aten::conv3d(%0, " + arguments + ")\n  return %4\n",
        by_hand());
    return text.find("torchweld::") != std::string::npos;
  };
  EXPECT_TRUE(taken("2,8,8", "%1, none, [1, 1, 1], [0, 0, 0], [1, 1, 1], 1"));
  EXPECT_FALSE(taken("4,8,8", "%1, none, [1, 1, 1], [1, 0, 0], [1, 1, 1], 1"));
  EXPECT_FALSE(taken("2,8,8", "%2, none, [1, 1, 1], [0, 0, 0], [1, 1, 1], 4"));
  EXPECT_FALSE(taken("2,8,8", "%3, none, [1, 1, 1], [0, 0, 0], [1, 1, 1], 1"));
}

}  // namespace
}  // namespace torchweld::testing
