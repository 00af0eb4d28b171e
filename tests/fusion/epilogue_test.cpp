// What follows a product as part of the library's call.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

/// The names of a plan's steps.
std::string names(std::string_view text, Rounding rounding = Rounding::kDefault) {
  Target on = rows();
  on.rounding = rounding;
  std::string out;
  for (const Step& step : plan(parse_graph(text), on).steps) out += step.name + "\n";
  return out;
}

TEST(Epilogue, ReluFollowsItsProduct) {
  EXPECT_EQ(planned(R"(graph(%0: f32[2,5,8], %1: f32[16,8], %2: f32[16]):
  %3: f32[2,5,16] = aten::linear(%0, %1, %2)
  %4: f32[2,5,16] = aten::relu(%3)
  return %4
)",
                    rows()),
            R"(step 0: matmul_10x8x16_f32_relu
  %3: f32[2,5,16] = aten::linear(%0, %1, %2)
  %4: f32[2,5,16] = aten::relu(%3)
  f32 16x10x8 TN bias relu
  a %1 in input 1, b %0 in input 0, bias %2 in input 2
  out %4 in output of 640 bytes
return %4 in output of 640 bytes
arena 64 of 64 bytes
)");
}

TEST(Epilogue, BiasResidualAndReluAreOneCall) {
  EXPECT_EQ(planned(R"(graph(%0: f32[2,5,8], %1: f32[16,8], %2: f32[16], %3: f32[2,5,16]{160,32,1}):
  %4: f32[2,5,16] = aten::linear(%0, %1, %2)
  %5: f32[2,5,16] = aten::add.Tensor(%3, %4, 1)
  %6: f32[2,5,16] = aten::relu(%5)
  return %6
)",
                    rows()),
            R"(step 0: matmul_10x8x16_f32_add_relu
  %4: f32[2,5,16] = aten::linear(%0, %1, %2)
  %5: f32[2,5,16] = aten::add.Tensor(%3, %4, 1)
  %6: f32[2,5,16] = aten::relu(%5)
  f32 16x10x8 TN add bias relu
  a %1 in input 1, b %0 in input 0, c %3 in input 3, bias %2 in input 2
  out %6 in output of 640 bytes
return %6 in output of 640 bytes
arena 64 of 64 bytes
)");
}

TEST(Epilogue, AResidualLeavesTheKernelThatNormalisesTheSum) {
  EXPECT_EQ(names(R"(graph(%0: f32[5,8], %1: f32[16,8], %2: f32[5,16]):
  %3: f32[5,16] = aten::linear(%0, %1, none)
  %4: f32[5,16] = aten::mul.Scalar(%3, 0.5)
  %5: f32[5,16] = aten::add.Tensor(%4, %2, 2)
  %6: f32[5,16] = aten::softmax.int(%5, -1, none)
  return %5, %6
)"),
            "matmul_5x8x16_f32_mul_add\nsingle_softmax_f32\n");
}

TEST(Epilogue, AResidualThatComesLaterMovesTheProductBehindIt) {
  EXPECT_EQ(names(R"(graph(%0: f32[5,8], %1: f32[16,8], %2: f32[5,16]):
  %3: f32[5,16] = aten::linear(%0, %1, none)
  %4: f32[5,16] = aten::linalg_pinv(%2)
  %5: f32[5,16] = aten::add.Tensor(%3, %4, 1)
  return %5
)"),
            "aten::linalg_pinv\nmatmul_5x8x16_f32_add\n");
}

TEST(Epilogue, AProductStaysBeforeAWriteToItsOperand) {
  EXPECT_EQ(names(R"(graph(%0: f32[5,16], %1: f32[16,16]):
  %2: f32[5,16] = aten::linear(%0, %1, none)
  %0 = %0 <- aten::add_.Scalar(%0, 1, 1)
  %3: f32[5,16] = aten::add.Tensor(%2, %0, 1)
  return %3
)"),
            "matmul_5x16x16_f32\nsingle_add_f32\nsingle_add_f32\n");
}

TEST(Epilogue, ARowIsABias) {
  EXPECT_EQ(planned(R"(graph(%0: f32[5,8], %1: f32[8,16], %2: f32[1,16]):
  %3: f32[5,16] = aten::mm(%0, %1)
  %4: f32[5,16] = aten::add.Tensor(%2, %3, 1)
  %5: f32[5,16] = aten::gelu(%4, "tanh")
  return %5
)",
                    rows()),
            R"(step 0: matmul_5x8x16_f32_add_gelu
  %3: f32[5,16] = aten::mm(%0, %1)
  %4: f32[5,16] = aten::add.Tensor(%2, %3, 1)
  %5: f32[5,16] = aten::gelu(%4, "tanh")
  f32 16x5x8 NN bias gelu
  a %1 in input 1, b %0 in input 0, bias %2 in input 2
  out %5 in output of 320 bytes
return %5 in output of 320 bytes
arena 64 of 64 bytes
)");
}

TEST(Epilogue, ResidualsOfBatchesHaveStridesOfTheirOwn) {
  const Plan made =
      plan(parse_graph(
               R"(graph(%0: f32[2,3,4,8]{192,8,24,1}, %1: f32[2,3,8,6], %2: f32[2,3,4,6]{0,24,6,1}):
  %3: f32[2,3,4,6] = aten::matmul(%0, %1)
  %4: f32[2,3,4,6] = aten::add.Tensor(%3, %2, 0.5)
  return %4
)"),
           rows());
  ASSERT_EQ(made.steps.size(), 1u);
  const Matmul& m = made.steps[0].matmul;
  EXPECT_EQ(m.shape.beta, 0.5);
  EXPECT_EQ(m.shape.ldc, 6);
  EXPECT_EQ(m.shape.batch, 3);
  EXPECT_EQ(m.shape.batch_c, 24);
  EXPECT_EQ(m.repeats, 2);
  EXPECT_EQ(m.repeat_c, 0);
  EXPECT_EQ(m.repeat_out, 72);
}

std::string product_then(const std::string& type, const std::string& call) {
  const std::string shape = type + "[5,16]";
  return "graph(%0: " + type + "[5,8], %1: " + type + "[16,8], %2: " + shape +
         "):\n  %3: " + shape + " = aten::linear(%0, %1, none)\n  %4: " + shape + " = " + call +
         "\n  return %4\n";
}

TEST(Epilogue, WithErfGeluIsAKernel) {
  EXPECT_EQ(names(product_then("f32", "aten::gelu(%3, \"tanh\")")), "matmul_5x8x16_f32_gelu\n");
  EXPECT_EQ(names(product_then("f32", "aten::gelu(%3, \"none\")")),
            "matmul_5x8x16_f32\nsingle_gelu_f32\n");
  EXPECT_EQ(names(product_then("f64", "aten::gelu(%3, \"tanh\")")),
            "matmul_5x8x16_f64\nsingle_gelu_f64\n");
}

TEST(Epilogue, AFactorIsAlphaUnlessItIsZero) {
  EXPECT_EQ(names(product_then("f32", "aten::div.Scalar(%3, 8)")), "matmul_5x8x16_f32_div\n");
  EXPECT_EQ(names(product_then("f32", "aten::mul.Scalar(%3, 0)")),
            "matmul_5x8x16_f32\nsingle_mul_f32\n");
  EXPECT_EQ(names(product_then("f32", "aten::mul.Tensor(%3, %2)")),
            "matmul_5x8x16_f32\nsingle_mul_f32\n");
}

TEST(Epilogue, HalvesRoundBeforeASumButReluCanNotTell) {
  EXPECT_EQ(names(product_then("f16", "aten::add.Tensor(%3, %2, 1)")),
            "matmul_5x8x16_f16\nsingle_add_f16\n");
  EXPECT_EQ(names(product_then("bf16", "aten::relu(%3)")), "matmul_5x8x16_bf16_relu\n");
}

TEST(Epilogue, ExactNumericsHaveNone) {
  EXPECT_EQ(names(product_then("f32", "aten::relu(%3)"), Rounding::kExact),
            "matmul_5x8x16_f32\nsingle_relu_f32\n");
}

TEST(Epilogue, AResultThatIsReadTwiceStays) {
  EXPECT_EQ(names(R"(graph(%0: f32[5,8], %1: f32[16,8], %2: f32[5,16]):
  %3: f32[5,16] = aten::linear(%0, %1, none)
  %4: f32[5,16] = aten::add.Tensor(%3, %2, 1)
  return %3, %4
)"),
            "matmul_5x8x16_f32\nsingle_add_f32\n");
}

}  // namespace
}  // namespace torchweld::testing
