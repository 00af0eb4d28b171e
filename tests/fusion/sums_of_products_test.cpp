// Sums over products of what both operands broadcast, which are matrix products.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

std::string steps(std::string_view text) { return testing::names(text, float_rows(true)); }

/// Scores of a state space model's chunk, whose heads lie behind its places.
constexpr const char* kScores =
    R"(graph(%0: f32[2,16,1,3,8]{384,24,24,8,1}, %1: f32[2,1,20,3,8]{480,480,24,8,1}):
  %2: f32[2,16,20,3,8] = aten::mul.Tensor(%0, %1)
  %3: f32[2,16,20,3] = aten::sum.dim_IntList(%2, [-1], false, none)
  return %3
)";

TEST(SumsOfProducts, AreProductsOnTheHost) {
  EXPECT_EQ(steps(kScores), "product_6x16x8x20\nsingle_sum_f32\n");
}

/// Whose library may multiply in TF32.
TEST(SumsOfProducts, StayRowsOnADevice) {
  EXPECT_EQ(testing::names(kScores, rows()), "fused_mul_sum_f32\n");
}

TEST(SumsOfProducts, OthersStayRows) {
  Target exact = float_rows(true);
  exact.rounding = Rounding::kExact;
  EXPECT_EQ(testing::names(kScores, exact), "fused_mul_sum_f32\n");
  // Of two columns; of products that leave; over a dim that one lacks; of one operand's dims alone.
  EXPECT_EQ(steps(R"(graph(%0: f32[5,1,8], %1: f32[2,8]):
  %2: f32[5,2,8] = aten::mul.Tensor(%0, %1)
  %3: f32[5,2] = aten::sum.dim_IntList(%2, [2], false, none)
  return %3
)"),
            "fused_mul_sum_f32\n");
  EXPECT_EQ(steps(R"(graph(%0: f32[5,1,8], %1: f32[7,8]):
  %2: f32[5,7,8] = aten::mul.Tensor(%0, %1)
  %3: f32[5,7] = aten::sum.dim_IntList(%2, [2], false, none)
  return %2, %3
)"),
            "fused_mul_sum_f32\n");
  EXPECT_EQ(steps(R"(graph(%0: f32[5,1,8], %1: f32[7,1]):
  %2: f32[5,7,8] = aten::mul.Tensor(%0, %1)
  %3: f32[5,7] = aten::sum.dim_IntList(%2, [2], false, none)
  return %3
)"),
            "fused_mul_sum_f32\n");
  EXPECT_EQ(steps(R"(graph(%0: f32[5,7,8], %1: f32[8]):
  %2: f32[5,7,8] = aten::mul.Tensor(%0, %1)
  %3: f32[5,7] = aten::sum.dim_IntList(%2, [2], false, none)
  return %3
)"),
            "fused_mul_sum_f32\n");
}

}  // namespace
}  // namespace torchweld::testing
