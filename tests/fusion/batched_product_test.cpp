// Products of two matrices made in the call, on the host: which nodes they stand for.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

std::string steps(std::string_view text) { return testing::names(text, float_rows(true)); }

TEST(BatchedProduct, OfHeadsAsTheyLie) {
  EXPECT_EQ(
      steps(
          R"(graph(%0: f32[2,4,1,12]{144,12,48,1}, %1: f32[2,4,12,8]{384,96,1,12}, %2: f32[2,4,8,12]):
  %3: f32[2,4,1,8] = aten::matmul(%0, %1)
  %4: f32[2,4,1,12] = aten::matmul(%3, %2)
  return %4
)"),
      R"(product_8x1x12x8
product_8x1x8x12
)");
}

TEST(BatchedProduct, RowsOfABatchInWhichTheOtherStandsStillAreRows) {
  EXPECT_EQ(steps(R"(graph(%0: f32[5,7,6], %1: f32[6,3], %2: f32[4,6]):
  %3: f32[5,7,3] = aten::matmul(%0, %1)
  %4: f32[5,7,4] = aten::linear(%0, %2, none)
  return %3, %4
)"),
            R"(product_1x35x6x3
product_1x35x6x4
)");
}

TEST(BatchedProduct, OthersAreTheLibrarys) {
  EXPECT_EQ(
      steps(
          R"(graph(%0: f64[5,6], %1: f64[6,3], %2: f32[1100,1100], %3: f32[1100,1100], %4: f32[5,6]{36,6}, %5: f32[6,3]):
  %6: f64[5,3] = aten::mm(%0, %1)
  %7: f32[1100,1100] = aten::mm(%2, %3)
  %8: f32[5,3] = aten::mm(%4, %5)
  return %6, %7, %8
)"),
      R"(eager aten::mm
eager aten::mm
eager aten::mm
)");
}

TEST(BatchedProduct, AnEinsumOnTheHostIsOne) {
  EXPECT_EQ(steps(R"(graph(%0: f32[2,5,4,8], %1: f32[2,6,4,8]):
  %2: f32[2,4,5,6] = aten::einsum("bihd,bjhd->bhij", [%0, %1], none)
  return %2
)"),
            "product_8x5x8x6\n");
}

TEST(BatchedProduct, VectorsAreMatricesOfOneRowOrColumn) {
  EXPECT_EQ(steps(R"(graph(%0: f32[9,30], %1: f32[30], %2: f32[9]):
  %3: f32[9] = aten::mv(%0, %1)
  %4: f32[30] = aten::matmul(%2, %0)
  %5: f32[] = aten::dot(%1, %1)
  return %3, %4, %5
)"),
            R"(product_1x9x30x1
product_1x1x9x30
product_1x1x30x1
)");
}

TEST(BatchedProduct, OperandsThatLieAsNoMatrixAreCopiedWhereTheirNumbersAreUsedOften) {
  EXPECT_EQ(
      steps(
          R"(graph(%0: f32[4,64,8]{1,32,4}, %1: f32[4,8,20], %2: f32[4,64,8]{1,32,4}, %3: f32[4,8,2]):
  %4: f32[4,64,20] = aten::matmul(%0, %1)
  %5: f32[4,64,2] = aten::matmul(%2, %3)
  return %4, %5
)"),
      R"(single_matmul_f32
product_4x64x8x20
eager aten::matmul
)");
}

}  // namespace
}  // namespace torchweld::testing
