// Reductions on targets that take only rows of floats: the host.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

/// The plan's steps on the host, by name, one a line.
std::string steps(std::string_view text) { return testing::names(text, float_rows()); }

TEST(FloatRows, NormsAndTheirNeighboursAreOneKernel) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30], %1: f32[30]):
  %2: f32[4,30] = aten::layer_norm(%0, [30], %1, %1, 1e-05, true)
  %3: f32[4,30] = aten::relu(%2)
  return %3
)"),
            "fused_layer_norm_relu_f32\n");
}

TEST(FloatRows, MayLieAcrossMemory) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30]):
  %1: f32[4,30] = aten::softmax.int(%0, 0, none)
  %2: f32[30] = aten::sum.dim_IntList(%0, [0], false, none)
  return %1, %2
)"),
            "single_softmax_f32\nsingle_sum_f32\n");
}

TEST(FloatRows, MayBeOfSeveralDimsWithWeightsThatChangeInTheRow) {
  EXPECT_EQ(steps(R"(graph(%0: f32[2,6,5,5], %1: f32[6]):
  %2: f32[2,6,5,5] = aten::group_norm(%0, 3, %1, %1, 1e-05, true)
  %3: f32[6] = aten::sum.dim_IntList(%2, [0, 2, 3], false, none)
  return %2, %3
)"),
            "single_group_norm_f32\nsingle_sum_f32\n");
}

TEST(FloatRows, GroupsOfImagesWhoseChannelsAreInnermostAreSummedByChannel) {
  const std::string_view text = R"(graph(%0: f32[2,24,5,5]):
  %1: f32[24] = constant(0)
  %2: f32[24,24,3,3] = constant(1)
  %3: f32[2,24,5,5] = aten::conv2d(%0, %2, none, [1, 1], [1, 1], [1, 1], 1)
  %4: f32[2,24,5,5] = aten::group_norm(%3, 4, %1, %1, 1e-05, true)
  %5: f32[2,24,5,5] = aten::silu(%4)
  %6: f32[2,24,5,5] = aten::conv2d(%5, %2, none, [1, 1], [1, 1], [1, 1], 1)
  %7: f32[2,24,5,5] = aten::instance_norm(%6, %1, %1, none, none, true, 0.1, 1e-05, true)
  %8: f32[2,24,5,5] = aten::relu(%7)
  %9: f32[2,24,5,5] = aten::conv2d(%8, %2, none, [1, 1], [1, 1], [1, 1], 1)
  return %9
)";
  EXPECT_EQ(testing::names(text, float_rows(true)),
            "single_copy_f32\nconv_50x216x24\nsingle_group_norm_f32\nsingle_group_norm_f32\n"
            "fused_group_norm_silu_f32\nconv_50x216x24\nfused_instance_norm_relu_f32\n"
            "conv_50x216x24\nsingle_copy_f32\n");
  Target exact = float_rows(true);
  exact.rounding = Rounding::kExact;
  EXPECT_EQ(testing::names(text, exact),
            "single_copy_f32\nconv_50x216x24\nsingle_copy_f32\nsingle_group_norm_f32\n"
            "fused_silu_copy_f32\nconv_50x216x24\nfused_copy_instance_norm_relu_copy_f32\n"
            "conv_50x216x24\nsingle_copy_f32\n");
}

TEST(FloatRows, GroupsOfHalvesWhoseChannelsAreInnermostAreSummedByChannelInFloat32) {
  constexpr std::string_view kText = R"(graph(%0: bf16[2,24,5,5]{600,1,120,24}, %1: bf16[24]):
  %2: bf16[2,24,5,5]{600,1,120,24} = aten::group_norm(%0, 4, %1, %1, 1e-05, true)
  return %2
)";
  EXPECT_EQ(testing::names(kText, float_rows(true)),
            "single_group_norm_f32\nsingle_group_norm_f32\nsingle_group_norm_bf16\n");
}

/// Its result lies as recorded: no image with its channels innermost goes in or comes out.
TEST(FloatRows, ANormThatIsLibTorchsKeepsItsLayout) {
  const auto plan_of = [](const char* sizes, const char* statistics) {
    const std::string image = std::string("f32[1,24,") + sizes + "]";
    return testing::names("graph(%0: " + image + R"():
  %1: f32[24] = constant(0)
  %2: f32[24,24,3,3] = constant(1)
  %3: )" + image + R"( = aten::conv2d(%0, %2, none, [1, 1], [1, 1], [1, 1], 1)
  %4: )" + image + " = aten::instance_norm(%3, %1, %1, " +
                              statistics + R"(, true, 0.1, 1e-05, true)
  %5: )" + image + R"( = aten::conv2d(%4, %2, none, [1, 1], [1, 1], [1, 1], 1)
  return %5
)",
                          float_rows(true));
  };
  EXPECT_EQ(plan_of("8,9", "none, none"),
            "single_copy_f32\nconv_72x216x24\nsingle_instance_norm_f32\nconv_72x216x24\n"
            "single_copy_f32\n");
  EXPECT_EQ(plan_of("8,9", "%1, %1"),
            "single_copy_f32\nconv_72x216x24\nsingle_copy_f32\neager aten::instance_norm\n"
            "single_copy_f32\nconv_72x216x24\nsingle_copy_f32\n");
  EXPECT_EQ(plan_of("1024,1025", "none, none"),  // of rows too long for a kernel
            "single_copy_f32\nconv_1049600x216x24\nsingle_copy_f32\neager aten::instance_norm\n"
            "single_copy_f32\nconv_1049600x216x24\nsingle_copy_f32\n");
}

TEST(FloatRows, PlacesAndIntegersStayWithLibTorch) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30], %1: i64[4,30]):
  %2: i64[4] = aten::argmax(%0, 1, false)
  %3: f32[4], %4: i64[4] = aten::max.dim(%0, 1, false)
  %5: i64[4] = aten::sum.dim_IntList(%1, [1], false, none)
  return %2, %3, %4, %5
)"),
            "eager aten::argmax\neager aten::max.dim\neager aten::sum.dim_IntList\n");
}

// Longer rows LibTorch sums in a cascade of more levels.
TEST(FloatRows, HaveLimits) {
  EXPECT_EQ(steps(R"(graph(%0: f32[2,1048576], %1: f32[2,1048577]):
  %4: f32[2] = aten::sum.dim_IntList(%0, [1], false, none)
  %5: f32[2] = aten::sum.dim_IntList(%1, [1], false, none)
  return %4, %5
)"),
            "single_sum_f32\neager aten::sum.dim_IntList\n");
}

TEST(FloatRows, ReadAtPlacesThatFollowFromCoordinates) {
  EXPECT_EQ(steps(R"(graph(%0: f32[1,3,9,9]):
  %1: f32[1,3,13,13] = aten::pad(%0, [2, 2, 2, 2], "reflect", none)
  %2: f32[1,3,13,13] = aten::relu(%1)
  %3: f32[1,3,18,18] = aten::upsample_nearest2d.vec(%0, [18, 18], none)
  %4: f32[1,3,9,9] = aten::avg_pool2d(%0, [3, 3], [1, 1], [1, 1], false, false, none)
  %5: f32[1,3,9,9] = aten::roll(%4, [1], [2])
  return %2, %3, %5
)"),
            R"(fused_pad_relu_f32
single_upsample_nearest2d_f32
single_avg_pool2d_f32
single_roll_f32
)");
}

// What is reduced lies along memory in one operand and across it in the other.
TEST(FloatRows, AreReadInOneOrder) {
  EXPECT_EQ(steps(R"(graph(%0: f32[40,30], %1: f32[30], %2: f32[40,30]{1,40}):
  %3: f32[40,30] = aten::add.Tensor(%0, %2, 1)
  %4: f32[40,30] = aten::layer_norm(%3, [30], %1, %1, 1e-05, true)
  return %4
)"),
            "single_add_f32\nsingle_layer_norm_f32\n");
}

TEST(FloatRows, GatherNothing) {
  EXPECT_EQ(steps(R"(graph(%0: f32[9,4], %1: i64[3]):
  %2: f32[3,4] = aten::embedding(%0, %1, -1, false, false)
  return %2
)"),
            "eager aten::embedding\n");
}

TEST(FloatRows, LongRowsAreCopiedApartByAnotherKernel) {
  EXPECT_EQ(
      steps(
          R"(graph(%0: f32[1,8,3072], %1: f32[1,16,3072]{49152,1,16}, %2: f32[1,8,300], %3: f32[1,16,300]{4800,1,16}):
  %4: f32[1,8,3072] = aten::softmax.int(%0, -1, none)
  %5: f32[1,24,3072]{73728,1,24} = aten::cat([%4, %1], 1)
  %6: f32[1,8,300] = aten::softmax.int(%2, -1, none)
  %7: f32[1,24,300]{7200,1,24} = aten::cat([%6, %3], 1)
  return %5, %7
)"),
      R"(single_softmax_f32
single_cat_f32
single_cat_f32
fused_softmax_cat_f32
single_cat_f32
)");
}

}  // namespace
}  // namespace torchweld::testing
