// Operators that are another's spelling, planned as that one.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

std::string names(std::string_view text) {
  Target host = target();
  host.float_rows = host.hand_kernels = true;
  std::string out;
  for (const Step& step : plan(parse_graph(text), host).steps) out += step.name + "\n";
  return out;
}

TEST(Spellings, NormsOfVectorsAndOfFrobeniusAreRows) {
  EXPECT_EQ(names(R"(graph(%0: f32[4,5,6]):
  %1: f32[4,6] = aten::linalg_norm(%0, none, [1], false, none)
  return %1
)"),
            "single_linalg_vector_norm_f32\n");
  EXPECT_EQ(names(R"(graph(%0: f32[4,5,6]):
  %1: f32[4] = aten::linalg_matrix_norm.str_ord(%0, "fro", [-2,-1], false, none)
  return %1
)"),
            "single_linalg_vector_norm_f32\n");
}

TEST(Spellings, NormsOfMatricesStayLibTorchs) {
  const std::string text = R"(graph(%0: f32[4,5,6]):
  %1: f32[4] = aten::linalg_norm(%0, 2, [1,2], false, none)
  return %1
)";
  EXPECT_EQ(names(text), "aten::linalg_norm\n");
}

TEST(Spellings, ACrossProductThatBroadcastsIsOneKernel) {
  EXPECT_EQ(names(R"(graph(%0: f32[10,3], %1: f32[1,3]):
  %2: f32[10,3] = aten::linalg_cross(%0, %1, -1)
  return %2
)"),
            "single_linalg_cross_f32\n");
}

TEST(Spellings, ASumOverOneElementIsPointwise) {
  EXPECT_EQ(names(R"(graph(%0: f32[4,1,6], %1: f32[4,6]):
  %2: f32[4,6] = aten::sum.dim_IntList(%0, [1], false, none)
  %3: f32[4,6] = aten::mul.Tensor(%2, %1)
  return %3
)"),
            "single_mul_f32\n");
}

TEST(Spellings, OfOtherTypesACrossProductStaysLibTorchs) {
  EXPECT_EQ(names(R"(graph(%0: f32[10,3], %1: i64[10,3]):
  %2: f32[10,3] = aten::linalg_cross(%0, %1, -1)
  return %2
)"),
            "aten::linalg_cross\n");
}

}  // namespace
}  // namespace torchweld::testing
