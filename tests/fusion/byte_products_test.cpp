// Products with weights of bytes on a device: which of them are rows of a kernel that widens.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

/// A linear layer of `rows` rows in f16, with what follows it.
std::string layer(int rows, const char* rest) {
  return fmt::format(R"(graph(%0: f16[{0},256]):
  %1: i8[320,256] = constant(0)
  %2: f16[320,1] = constant(1)
  %3: f16[320] = constant(2)
  %4: f16[320,256] = aten::to.dtype(%1, 5, false, false, none)
  %5: f16[320,256] = aten::mul.Tensor(%4, %2)
  %6: f16[{0},320] = aten::linear(%0, %5, %3)
{1})",
                     rows, rest);
}

std::string relu(int rows) {
  return fmt::format("  %7: f16[{},320] = aten::relu(%6)\n  return %7\n", rows);
}

TEST(ByteProducts, OfFewRowsAreRowsOfAKernel) {
  EXPECT_EQ(steps(layer(2, relu(2).c_str())),
            R"(kernel fused_copy_mul_linear_relu_f16 rank 3 reduced 1
  in0: i8[0*1]
  in1: f16[010]
  in2: f16[*01]
  in3: f16[010]
  %0 = load i32 in0
  %1 = cast f32 %0
  %2 = round_to f32 f16 %1
  %3 = load f32 in1
  %4 = mul f32 %2 %3
  %5 = round_to f32 f16 %4
  %6 = load f32 in2
  %7 = mul f32 %5 %6
  %8 = sum f32 %7
  %9 = load f32 in3
  %10 = add f32 %8 %9
  %11 = round_to f32 f16 %10
  %12 = const f32 0
  %13 = max f32 %11 %12
  %14 = round_to f32 f16 %13
  out0: f16[*10] = %14 a row
)");
}

TEST(ByteProducts, OfMoreRowsFollowAKernelThatWidens) {
  EXPECT_EQ(names(layer(4, relu(4).c_str()), rows()), R"(fused_copy_mul_linear_relu_f16
)");
  EXPECT_EQ(names(layer(5, relu(5).c_str()), rows()), R"(fused_copy_mul_f16
matmul_5x256x320_f16_relu
)");
}

TEST(ByteProducts, ExactNumericsLeaveThem) {
  Target exact = rows();
  exact.rounding = Rounding::kExact;
  EXPECT_EQ(names(layer(1, relu(1).c_str()), exact), R"(fused_copy_mul_f16
matmul_1x256x320_f16
single_relu_f16
)");
}

TEST(ByteProducts, WeightsThatOthersReadAreWidenedOnce) {
  EXPECT_EQ(names(layer(1, "  return %6, %5\n"), rows()), R"(fused_copy_mul_f16
matmul_1x256x320_f16
)");
}

TEST(ByteProducts, WeightsThatAreWrittenAreReadBefore) {
  EXPECT_EQ(names(R"(graph(%0: f32[1,64], %1: u8[64,64]):
  %2: f32[64,64] = aten::to.dtype(%1, 6, false, false, none)
  %1 <- aten::fill_.Scalar(%1, 3)
  %4: f32[1,64] = aten::linear(%0, %2, none)
  return %4
)",
                  rows()),
            R"(single_copy_f32
single_fill_u8
matmul_1x64x64_f32
)");
}

// [k, n] in memory: the threads of a row would read a byte a line.
TEST(ByteProducts, WeightsMustLieAlongTheSum) {
  constexpr const char* kText = R"(graph(%0: f32[1,64], %1: u8[64,96]{{{}}}, %2: f32[96]):
  %3: f32[64,96]{{{}}} = aten::to.dtype(%1, 6, false, false, none)
  %4: f32[64,96]{{{}}} = aten::sub.Scalar(%3, 8, 1)
  %5: f32[1,96] = aten::addmm(%2, %0, %4, 1, 1)
  return %5
)";
  EXPECT_EQ(names(fmt::format(kText, "96,1", "96,1", "96,1"), rows()), R"(fused_copy_sub_f32
matmul_1x64x96_f32
)");
  EXPECT_EQ(names(fmt::format(kText, "1,64", "1,64", "1,64"), rows()), R"(fused_copy_sub_addmm_f32
)");
}

// A table of floats of the weights' size is as much to read as the widened weights.
TEST(ByteProducts, OtherOperandsMustBeSmall) {
  EXPECT_EQ(names(R"(graph(%0: f32[1,64], %1: u8[96,64], %2: f32[96,64]):
  %3: f32[96,64] = aten::to.dtype(%1, 6, false, false, none)
  %4: f32[96,64] = aten::mul.Tensor(%3, %2)
  %5: f32[1,96] = aten::linear(%0, %4, none)
  return %5
)",
                  rows()),
            R"(fused_copy_mul_f32
matmul_1x64x96_f32
)");
}

}  // namespace
}  // namespace torchweld::testing
