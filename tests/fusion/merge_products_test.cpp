// Products that share their left operand as one.
#include "fusion/merge_products.h"

#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

std::string merged(std::string_view text) {
  return after(text, [](Graph* graph) {
    Target on = rows();
    on.attention = &kPlannedAttention;
    drop_views(graph);
    merge_products(graph, on);
    drop_dead(graph);
  });
}

constexpr std::string_view kWeights =
    R"(  %2: f32[8,8] = constant(0)
  %3: f32[4,8] = constant(1)
  %4: f32[8] = constant(2)
  %5: f32[4] = constant(3)
)";

/// Two layers of one input, with biases, and what follows.
std::string layers(const std::string& rest) {
  return "graph(%0: f32[2,3,8], %1: f32[2,3,4]):\n" + std::string(kWeights) +
         R"(  %6: f32[2,3,8] = aten::linear(%0, %2, %4)
  %7: f32[2,3,4] = aten::linear(%0, %3, %5)
)" + rest;
}

TEST(MergeProducts, ResultsAreColumnsOfOne) {
  EXPECT_EQ(planned(layers(R"(  %8: f32[2,3,8] = aten::sigmoid(%6)
  %9: f32[6,4] @%7 = aten::view(%7, [6, 4])
  %10: f32[6,4] = aten::tanh(%9)
  return %8, %10
)"),
                    rows()),
            R"(step 0: matmul_6x8x12_f32
  %13: f32[2,3,12] = aten::linear(%0, %11, %12)
  f32 12x6x8 TN bias
  a %11 in constant 4, b %0 in input 0, bias %12 in constant 5
  out %13 in arena 0..288
step 1: fused single_sigmoid_f32 over [6,8]
  %8: f32[2,3,8] = aten::sigmoid(%6)
  load  %6 in arena 0..288 {12,1}
  store %8 in output of 192 bytes {8,1}
step 2: fused single_tanh_f32 over [6,4]
  %10: f32[6,4] = aten::tanh(%9)
  load  %9 in arena 0..288 +32 {12,1}
  store %10 in output of 96 bytes {4,1}
return %8 in output of 192 bytes, %10 in output of 96 bytes
arena 384 of 384 bytes
)");
}

TEST(MergeProducts, OneReluFollowsAllOfThem) {
  EXPECT_EQ(steps(layers(R"(  %8: f32[2,3,8] = aten::relu(%6)
  %9: f32[2,3,4] = aten::relu(%7)
  %10: f32[2,3,8] = aten::linear(%8, %2, none)
  %11: f32[2,3,8] = aten::matmul(%9, %3)
  return %10, %11
)")),
            R"(matmul_6x8x12_f32_relu
matmul_6x8x8_f32
matmul_6x4x8_f32
)");
}

TEST(MergeProducts, TransposedWeightsAreConcatenatedAsTheyLie) {
  EXPECT_EQ(merged(R"(graph(%0: f32[3,8]):
  %1: f32[8,4] = constant(0)
  %2: f32[8,8] = constant(1)
  %3: f32[4,8] = constant(2)
  %4: f32[3,4] = aten::mm(%0, %1)
  %5: f32[3,8] = aten::mm(%0, %2)
  %6: f32[8,4]{1,8} @%3 = aten::t(%3)
  %7: f32[3,4] = aten::mm(%0, %6)
  %8: f32[3,4] = aten::sigmoid(%4)
  %9: f32[3,8] = aten::sigmoid(%5)
  %10: f32[3,4] = aten::mul.Tensor(%8, %7)
  return %9, %10
)"),
            R"(graph(%0: f32[3,8]):
  %1: f32[8,4] = constant(0)
  %2: f32[8,8] = constant(1)
  %3: f32[4,8] = constant(2)
  setup %11: f32[8,12] = aten::cat([%1, %2], 1)
  %13: f32[3,12] = aten::linear(%0, %12, none)
  %7: f32[3,4] = aten::mm(%0, %6)
  %8: f32[3,4] = aten::sigmoid(%4)
  %9: f32[3,8] = aten::sigmoid(%5)
  %10: f32[3,4] = aten::mul.Tensor(%8, %7)
  return %9, %10
)");
}

TEST(MergeProducts, AResultThatLeavesOrIsReadByLibTorchStays) {
  const std::string text = layers(R"(  %8: f32[2,3,8] = aten::sigmoid(%6)
  return %7, %8
)");
  EXPECT_EQ(merged(text), text);
  const std::string eager = layers(R"(  %8: f32[2,3,8] = aten::linalg_pinv(%6)
  %9: f32[2,3,4] = aten::tanh(%7)
  return %8, %9
)");
  EXPECT_EQ(merged(eager), eager);
}

TEST(MergeProducts, AResidualAndAnotherReluStay) {
  const std::string residual = layers(R"(  %8: f32[2,3,8] = aten::sigmoid(%6)
  %9: f32[2,3,4] = aten::add.Tensor(%7, %1, 1)
  return %8, %9
)");
  EXPECT_EQ(merged(residual), residual);
  const std::string relu = layers(R"(  %8: f32[2,3,4] = aten::relu(%7)
  %9: f32[2,3,8] = aten::sigmoid(%6)
  %10: f32[2,3,8] = aten::matmul(%8, %3)
  return %9, %10
)");
  EXPECT_EQ(merged(relu), relu);
}

TEST(MergeProducts, LargeWeightsStay) {
  const std::string text = R"(graph(%0: f32[2,2048]):
  %1: f32[2048,2048] = constant(0)
  %2: f32[2048,2048] = constant(1)
  %3: f32[2,2048] = aten::linear(%0, %1, none)
  %4: f32[2,2048] = aten::linear(%0, %2, none)
  %5: f32[2,2048] = aten::mul.Tensor(%3, %4)
  return %5
)";
  EXPECT_EQ(merged(text), text);
}

TEST(MergeProducts, AttentionReadsQueriesKeysAndValuesAsColumns) {
  Target on = rows();
  on.attention = &kPlannedAttention;
  EXPECT_EQ(planned(R"(graph(%0: f32[2,6,64]):
  %1: f32[64,64] = constant(0)
  %2: f32[64,64] = constant(1)
  %3: f32[64,64] = constant(2)
  %4: f32[2,6,64] = aten::linear(%0, %1, none)
  %5: f32[2,6,64] = aten::linear(%0, %2, none)
  %6: f32[2,6,64] = aten::linear(%0, %3, none)
  %7: f32[2,2,6,32]{384,32,64,1} @%4 = aten::transpose.int(%4, 1, 2)
  %8: f32[2,2,32,6]{384,32,1,64} @%5 = aten::permute(%5, [0, 2, 3, 1])
  %9: f32[2,2,6,32]{384,32,64,1} @%6 = aten::transpose.int(%6, 1, 2)
  %10: f32[2,2,6,6] = aten::matmul(%7, %8)
  %11: f32[2,2,6,6] = aten::softmax.int(%10, -1, none)
  %12: f32[2,2,6,32] = aten::matmul(%11, %9)
  return %12
)",
                    on),
            R"(step 0: matmul_12x64x192_f32
  %17: f32[2,6,192] = aten::linear(%0, %16, none)
  f32 192x12x64 TN
  a %16 in constant 3, b %0 in input 0
  out %17 in arena 0..9216
step 1: attention_2x2x6x6x32_f32
  %12: f32[2,2,6,32] = torchweld::attention(%13, %14, %15, none, 1.0, false, true, 0.0, true, [384, 192, 32])
  q in arena 0..9216, k in arena 0..9216 +256, v in arena 0..9216 +512
  out in output of 3072 bytes
return %12 in output of 3072 bytes
arena 9280 of 9280 bytes
)");
}

}  // namespace
}  // namespace torchweld::testing
