// embedding_bag as a step of its own, on targets that have its kernel.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

Target with_bags() {
  Target on = rows();
  on.embedding_bag = true;
  return on;
}

TEST(EmbeddingBag, IsAStepOfItsOwnWhereOnlyTheBagsAreUsed) {
  EXPECT_EQ(planned(R"(graph(%0: f32[30,4], %1: i64[9], %2: i64[3]):
  %3: f32[3,4], %4: i64[9], %5: i64[3], %6: i64[3] = aten::embedding_bag(%0, %1, %2, false, 1, false, none, false)
  %7: f32[3,4] = aten::relu(%3)
  return %7
)",
                    with_bags()),
            R"(step 0: embedding_bag_3x4_f32
  %3: f32[3,4], %4: i64[9], %5: i64[3], %6: i64[3] = aten::embedding_bag(%0, %1, %2, false, 1, false, none, false)
  table in input 0, indices in input 1, offsets in input 2
  out in arena 0..48
step 1: fused single_relu_f32 over [12]
  %7: f32[3,4] = aten::relu(%3)
  load  %3 in arena 0..48 {1}
  store %7 in output of 48 bytes {1}
return %7 in output of 48 bytes
arena 64 of 64 bytes
)");
}

TEST(EmbeddingBag, StaysWithLibTorchWhereTheSizesOfBagsAreUsed) {
  const Plan made = plan(parse_graph(R"(graph(%0: f32[30,4], %1: i64[9], %2: i64[3]):
  %3: f32[3,4], %4: i64[9], %5: i64[3], %6: i64[3] = aten::embedding_bag(%0, %1, %2, false, 1, false, none, false)
  return %3, %5
)"),
                         with_bags());
  ASSERT_EQ(made.steps.size(), 1u);
  EXPECT_EQ(made.steps[0].kind, Step::Kind::kEager);
}

}  // namespace
}  // namespace torchweld::testing
