// Sums of a few elements that lie apart, which are additions.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

TEST(ShortRows, BranchesWhoseChannelsAreInnermostAreAdded) {
  const Plan made =
      plan(parse_graph(R"(graph(%0: f32[2,2,64,32,32]{131072,64,1,4096,128}, %1: f32[2,2,64,1,1]):
  %2: f32[2,2,64,32,32] = aten::mul.Tensor(%0, %1)
  %3: f32[2,64,32,32] = aten::sum.dim_IntList(%2, [1], false, none)
  %4: f32[2,64,32,32] = aten::relu(%3)
  return %4
)"),
           float_rows(true));
  EXPECT_EQ(made.steps.size(), 1);
  EXPECT_EQ(to_text(made.steps[0].spec), R"(kernel fused_mul_sum_relu_f32 rank 3
  in0: f32[*1*]
  in1: f32[*1*]
  in2: f32[*10]
  in3: f32[*10]
  %0 = load f32 in0
  %1 = load f32 in1
  %2 = load f32 in2
  %3 = load f32 in3
  %4 = mul f32 %0 %2
  %5 = mul f32 %1 %3
  %6 = const f32 0
  %7 = add f32 %6 %4
  %8 = add f32 %7 %5
  %9 = const f32 0
  %10 = max f32 %8 %9
  out0: f32[**1] = %10
)");
}

TEST(ShortRows, OthersStayRows) {
  const auto is_reduced = [](const std::string& text) {
    return plan(parse_graph(text), float_rows(true)).steps[0].spec.reduced == 1;
  };
  // Of five elements, of what lies as the result does, of neighbours in memory, of what is read
  // again element by element.
  EXPECT_TRUE(is_reduced(R"(graph(%0: f32[2,5,64,32,32]{327680,64,1,10240,320}):
  %1: f32[2,64,32,32] = aten::sum.dim_IntList(%0, [1], false, none)
  return %1
)"));
  EXPECT_TRUE(is_reduced(R"(graph(%0: f32[2,2,64,32]):
  %1: f32[2,64,32] = aten::sum.dim_IntList(%0, [1], false, none)
  return %1
)"));
  EXPECT_TRUE(is_reduced(R"(graph(%0: f32[64,32,2]{2,128,1}):
  %1: f32[64,32] = aten::sum.dim_IntList(%0, [2], false, none)
  return %1
)"));
  EXPECT_TRUE(is_reduced(R"(graph(%0: f32[2,2,64,32]{4096,64,1,128}):
  %1: f32[2,1,64,32] = aten::sum.dim_IntList(%0, [1], true, none)
  %2: f32[2,2,64,32] = aten::div.Tensor(%0, %1)
  return %2
)"));
}

}  // namespace
}  // namespace torchweld::testing
