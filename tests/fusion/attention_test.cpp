// Attention in the spellings of models as one step.
#include "kernels/x86/attention.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

Target attends() {
  Target on;
  on.rows = on.blas = true;
  on.attention = &kPlannedAttention;
  return on;
}

/// The host, with its own kernel.
Target hosts() {
  static const x86::Attention attention;
  Target on = target();
  on.attention = &attention;
  return on;
}

/// The names of a plan's steps.
std::string names(std::string_view text) {
  std::string out;
  for (const Step& step : plan(parse_graph(text), attends()).steps) out += step.name + "\n";
  return out;
}

TEST(Attention, OfScaledHeadsWithAMaskStoresWhereItIsCopied) {
  EXPECT_EQ(planned(R"(graph(%0: f32[2,6,4,32], %1: f32[2,1,1,6]):
  %2: f32[2,4,6,32]{768,32,128,1} @%0 = aten::permute(%0, [0, 2, 1, 3])
  %3: f32[2,4,32,6]{768,32,1,128} @%0 = aten::permute(%0, [0, 2, 3, 1])
  %4: f32[2,4,6,6] = aten::matmul(%2, %3)
  %5: f32[2,4,6,6] = aten::div.Scalar(%4, 4)
  %6: f32[2,4,6,6] = aten::add.Tensor(%5, %1, 1)
  %7: f32[2,4,6,6] = aten::softmax.int(%6, -1, none)
  %8: f32[2,4,6,32] = aten::matmul(%7, %2)
  %9: f32[2,6,4,32]{768,32,192,1} @%8 = aten::transpose.int(%8, 1, 2)
  %10: f32[2,6,128] = aten::reshape(%9, [2, 6, 128])
  return %10
)",
                    attends()),
            R"(step 0: attention_2x4x6x6x32_f32_mask
  %10: f32[2,6,128] = torchweld::attention(%11, %11, %11, %14, 0.25, false, true, 0.0, true, [768, 32, 128])
  q in input 0, k in input 0, v in input 0, mask in input 1
  out in output of 6144 bytes
return %10 in output of 6144 bytes
arena 0 of 0 bytes
)");
}

TEST(Attention, ScaledDotProductIsOursInF32AndLibTorchsInHalves) {
  const auto with = [](const std::string& type) {
    return "graph(%0: " + type + "[2,3,5,64], %1: " + type + "[2,3,7,64], %2: " + type +
           "[2,3,7,64]):\n  %3: " + type +
           "[2,3,5,64] = aten::scaled_dot_product_attention(%0, %1, %2, none, 0.0, true, none, "
           "false)\n  return %3\n";
  };
  EXPECT_EQ(names(with("f32")), "attention_1x6x5x7x64_f32_causal\n");
  EXPECT_EQ(names(with("f16")), "aten::scaled_dot_product_attention\n");
  EXPECT_EQ(names(with("f64")), "aten::scaled_dot_product_attention\n");
}

TEST(Attention, ATensorThatSomebodyElseReadsPreventsIt) {
  EXPECT_EQ(names(R"(graph(%0: f32[2,5,32], %1: f32[2,32,7], %2: f32[2,7,32]):
  %3: f32[2,5,7] = aten::bmm(%0, %1)
  %4: f32[2,5,7] = aten::softmax.int(%3, -1, none)
  %5: f32[2,5,32] = aten::bmm(%4, %2)
  return %4, %5
)"),
            "matmul_5x32x7_f32\nsingle_softmax_f32\nmatmul_5x7x32_f32\n");
}

TEST(Attention, TwoMasksAreAddedFirstAndAThirdBatchDimIsRepeated) {
  EXPECT_EQ(
      planned(
          R"(graph(%0: f32[4,3,5,32]{480,32,96,1}, %1: f32[4,3,32,5]{480,160,1,32}, %2: f32[3,5,5], %3: f32[2,1,5,5]):
  %4: f32[4,3,5,5] = aten::matmul(%0, %1)
  %5: f32[4,3,5,5] = aten::add.Tensor(%4, %2, 1)
  %6: f32[2,2,3,5,5] @%5 = aten::view(%5, [2, 2, 3, 5, 5])
  %7: f32[2,2,3,5,5] = aten::add.Tensor(%6, %3, 1)
  %8: f32[4,3,5,5] @%7 = aten::view(%7, [4, 3, 5, 5])
  %9: f32[4,3,5,5] = aten::softmax.int(%8, -1, none)
  %10: f32[4,3,5,32] = aten::matmul(%9, %0)
  return %10
)",
          attends()),
      R"(step 0: fused single_add_f32 over [2,3,25]
  %13: f32[1,2,3,5,5] = aten::add.Tensor(%11, %12, 1)
  load  %11 in input 2 {0,25,1}
  load  %12 in input 3 {25,0,1}
  store %13 in arena 0..600 {75,25,1}
step 1: attention_4x3x5x5x32_f32_mask
  %10: f32[4,3,5,32] = torchweld::attention(%14, %15, %14, %17, 1.0, false, true, 0.0, true, [960, 480, 160, 32])
  2 times
  q in input 0, k in input 1, v in input 0, mask in arena 0..600
  out in output of 7680 bytes
return %10 in output of 7680 bytes
arena 640 of 640 bytes
)");
}

TEST(Attention, OfFewerKeyHeadsReadsThemWhereTheyAre) {
  EXPECT_EQ(planned(R"(graph(%0: f32[2,6,5,32], %1: f32[2,2,7,32], %2: f32[2,2,7,32]):
  %3: f32[2,6,5,32] = aten::scaled_dot_product_attention(%0, %1, %2, none, 0.0, false, none, true)
  return %3
)",
                    attends()),
            R"(step 0: attention_1x12x5x7x32_f32
  %3: f32[2,6,5,32] = torchweld::attention(%4, %5, %6, none, 0.17677669529663687, false, true, 0.0, false, [0, 160, 32])
  q in input 0, k in input 1, v in input 2
  out in output of 7680 bytes
return %3 in output of 7680 bytes
arena 0 of 0 bytes
)");
}

TEST(Attention, AScaleAfterAMaskOfFloatsPreventsIt) {
  EXPECT_EQ(names(R"(graph(%0: f32[2,5,32], %1: f32[2,32,7], %2: f32[2,7,32], %3: f32[2,5,7]):
  %4: f32[2,5,7] = aten::baddbmm(%3, %0, %1, 1, 1)
  %5: f32[2,5,7] = aten::mul.Scalar(%4, 0.5)
  %6: f32[2,5,7] = aten::softmax.int(%5, -1, none)
  %7: f32[2,5,32] = aten::bmm(%6, %2)
  return %7
)"),
            "matmul_5x32x7_f32\nfused_mul_softmax_f32\nmatmul_5x7x32_f32\n");
}

TEST(Attention, OnTheHostHasMemoryForPackedKeysAndValues) {
  constexpr const char* kDense = R"(graph(%0: f32[2,8,32], %1: f32[2,9,32]):
  %2: f32[2,32,9]{288,1,32} @%1 = aten::transpose.int(%1, 1, 2)
  %3: f32[2,8,9] = aten::bmm(%0, %2)
  %4: f32[2,8,9] = aten::softmax.int(%3, -1, none)
  %5: f32[2,8,32] = aten::bmm(%4, %1)
  return %5
)";
  const Plan made = plan(parse_graph(kDense), hosts());
  ASSERT_EQ(made.steps.size(), 1u);
  EXPECT_EQ(made.steps[0].name, "attention_1x2x8x9x32_f32");
  EXPECT_GE(made.arena_bytes, x86::Attention().scratch_bytes(made.steps[0].attention.shape));
  EXPECT_GT(made.arena_bytes, 2 * 9 * 32 * 4);
  std::vector<NodeId> recorded = made.graph.nodes[0].recorded;
  std::sort(recorded.begin(), recorded.end());
  EXPECT_EQ(recorded, (std::vector<NodeId>{1, 2, 3}))
      << "products and softmax; a view takes no time";
}

TEST(Attention, OfManyKeysStaysLibTorchsOnTheHostUnlessThereAreFewQueries) {
  const auto step = [](int64_t queries) {
    return plan(parse_graph(fmt::format(
                    R"(graph(%0: f32[1,4,{0},64], %1: f32[1,4,5000,64]):
  %2: f32[1,4,{0},64] = aten::scaled_dot_product_attention(%0, %1, %1, none, 0.0, false, none, false)
  return %2
)",
                    queries)),
                hosts())
        .steps[0]
        .name;
  };
  EXPECT_EQ(step(1), "attention_1x4x1x5000x64_f32");
  EXPECT_EQ(step(8), "aten::scaled_dot_product_attention");
}

}  // namespace
}  // namespace torchweld::testing
