// Reductions on targets that take only rows which are one stretch of memory: the host.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

/// The plan's steps, by name, one a line.
std::string steps(std::string_view text) {
  Target host;
  host.dense_rows = true;
  std::string names;
  for (const Step& step : plan(parse_graph(text), host).steps)
    names += (step.kind == Step::Kind::kFused ? step.spec.name : "eager " + step.name) + "\n";
  return names;
}

TEST(DenseRows, NormsAndTheirNeighboursAreOneKernel) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30], %1: f32[30]):
  %2: f32[4,30] = aten::layer_norm(%0, [30], %1, %1, 1e-05, true)
  %3: f32[4,30] = aten::relu(%2)
  return %3
)"),
            "fused_layer_norm_relu_f32\n");
}

TEST(DenseRows, RowsAcrossMemoryStayWithLibTorch) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30]):
  %1: f32[4,30] = aten::softmax.int(%0, 0, none)
  %2: f32[30] = aten::sum.dim_IntList(%0, [0], false, none)
  return %1, %2
)"),
            "eager aten::softmax.int\neager aten::sum.dim_IntList\n");
}

TEST(DenseRows, PlacesAndIntegersStayWithLibTorch) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30], %1: i64[4,30]):
  %2: i64[4] = aten::argmax(%0, 1, false)
  %3: f32[4], %4: i64[4] = aten::max.dim(%0, 1, false)
  %5: i64[4] = aten::sum.dim_IntList(%1, [1], false, none)
  return %2, %3, %4, %5
)"),
            "eager aten::argmax\neager aten::max.dim\neager aten::sum.dim_IntList\n");
}

// Long rows would be summed with too few partial sums; large softmaxes are faster in LibTorch.
TEST(DenseRows, HaveLimits) {
  EXPECT_EQ(steps(R"(graph(%0: f32[2,16384], %1: f32[2,16385], %2: f32[64,128], %3: f32[64,129]):
  %4: f32[2] = aten::sum.dim_IntList(%0, [1], false, none)
  %5: f32[2] = aten::sum.dim_IntList(%1, [1], false, none)
  %6: f32[64,128] = aten::softmax.int(%2, -1, none)
  %7: f32[64,129] = aten::softmax.int(%3, -1, none)
  return %4, %5, %6, %7
)"),
            "single_sum_f32\neager aten::sum.dim_IntList\nsingle_softmax_f32\n"
            "eager aten::softmax.int\n");
}

TEST(DenseRows, GatherNothing) {
  EXPECT_EQ(steps(R"(graph(%0: f32[9,4], %1: i64[3]):
  %2: f32[3,4] = aten::embedding(%0, %1, -1, false, false)
  return %2
)"),
            "eager aten::embedding\n");
}

}  // namespace
}  // namespace torchweld::testing
