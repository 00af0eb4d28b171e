// einsum as products of the device's library, pointwise products and sums.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

TEST(Einsum, HeadsAreABatchAndNothingIsCopied) {
  EXPECT_EQ(planned(R"(graph(%0: f32[2,3,6,4], %1: f32[2,3,5,4]):
  %2: f32[2,3,6,5] = aten::einsum("bhid,bhjd->bhij", [%0, %1], none)
  return %2
)",
                    rows()),
            R"(step 0: matmul_6x4x5_f32
  %5: f32[2,3,6,5] = aten::matmul(%3, %4)
  f32 5x6x4 TN batch 6
  a %4 in input 1, b %3 in input 0
  out %5 in output of 720 bytes
return %2 in output of 720 bytes
arena 64 of 64 bytes
)");
}

TEST(Einsum, ATransposedResultExchangesTheOperands) {
  EXPECT_EQ(planned(R"(graph(%0: f32[3,5], %1: f32[5,4]):
  %2: f32[4,3] = aten::einsum("ij,jk->ki", [%0, %1], none)
  return %2
)",
                    rows()),
            R"(step 0: matmul_4x5x3_f32
  %8: f32[4,3] = aten::matmul(%6, %7)
  f32 3x4x5 TT
  a %7 in input 0, b %6 in input 1
  out %8 in output of 48 bytes
return %2 in output of 48 bytes
arena 64 of 64 bytes
)");
}

TEST(Einsum, WhatIsNoMatrixInMemoryIsCopiedFirst) {
  EXPECT_EQ(steps(R"(graph(%0: f32[2,3,6,4], %1: f32[3,4,7]):
  %2: f32[2,6,7] = aten::einsum("bhid,hdo->bio", [%0, %1], none)
  return %2
)"),
            R"(kernel single_einsum_f32 rank 4
  in0: f32[***1]
  %0 = load f32 in0
  out0: f32[***1] = %0
matmul_12x12x7_f32
)");
}

TEST(Einsum, WithoutASumItIsPointwise) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,3], %1: f32[3]):
  %2: f32[3,4] = aten::einsum("ij,j->ji", [%0, %1], none)
  %3: f32[3,4] = aten::exp(%2)
  return %3
)"),
            R"(kernel fused_einsum_exp_f32 rank 2
  in0: f32[1*]
  in1: f32[10]
  %0 = load f32 in0
  %1 = load f32 in1
  %2 = mul f32 %0 %1
  %3 = exp f32 %2
  out0: f32[*1] = %3
)");
}

TEST(Einsum, DotsStandForDimsOfABatch) {
  EXPECT_EQ(steps(R"(graph(%0: f32[2,1,9,3,8], %1: f32[2,1,12,3,8], %2: f32[8,5], %3: f32[4,6,8]):
  %4: f32[2,1,3,9,12] = aten::einsum("...qhd,...khd->...hqk", [%0, %1], none)
  %5: f32[4,6,5] = aten::einsum("...d,dc", [%3, %2], none)
  return %4, %5
)"),
            "matmul_9x8x12_f32\nmatmul_24x8x5_f32\n");
}

TEST(Einsum, ThreeOperandsAreTwoProducts) {
  EXPECT_EQ(steps(R"(graph(%0: f32[2,5,7,6]{210,6,30,1}, %1: f32[5,6,24], %2: f32[2,7,5]):
  %3: f32[2,7,24] = aten::einsum("beth,eho,bte->bto", [%0, %1, %2], none)
  return %3
)"),
            "matmul_14x6x24_f32\nmatmul_24x5x1_f32\n");
}

TEST(Einsum, WhatOneOperandAloneHasIsSummedFirst) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,4], %1: f32[4,3], %2: f32[4,1]):
  %3: f32[3] = aten::einsum("ii,ij->j", [%0, %1], none)
  %4: f32[4] = aten::einsum("ij,jk->i", [%0, %1], none)
  %5: f32[4,4] = aten::einsum("ij,jk->ik", [%2, %0], none)
  return %3, %4, %5
)"),
            R"(matmul_1x4x3_f32
kernel single_einsum_f32 rank 2 reduced 1
  in0: f32[*1]
  %0 = load f32 in0
  %1 = sum f32 %0
  out0: f32[10] = %1 a row
matmul_4x4x1_f32
kernel single_einsum_f32 rank 2 reduced 1
  in0: f32[1*]
  %0 = load f32 in0
  %1 = sum f32 %0
  out0: f32[10] = %1 a row
kernel single_einsum_f32 rank 2
  in0: f32[10]
  in1: f32[01]
  %0 = load f32 in0
  %1 = load f32 in1
  %2 = mul f32 %0 %1
  out0: f32[*1] = %2
)");
}

TEST(Einsum, SumsOfIntegersStayWithLibTorch) {
  EXPECT_EQ(steps(R"(graph(%0: i64[4,4], %1: i64[4,4]):
  %2: i64[4] = aten::einsum("ij,kj->j", [%0, %1], none)
  return %2
)"),
            "aten::einsum\n");
}

}  // namespace
}  // namespace torchweld::testing
