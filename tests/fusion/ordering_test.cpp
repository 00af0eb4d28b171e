// Operators that order rows, on the host: which nodes are steps of our own, and which stay.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

/// The plan's steps on the host, by name, one a line.
std::string steps(std::string_view text) { return testing::names(text, float_rows(true)); }

TEST(Ordering, TheFirstFewOfRowsAlongAnyDim) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30,7], %1: bf16[4,30]{1,4}, %2: i64[]):
  %3: f32[4,2,7], %4: i64[4,2,7] = aten::topk(%0, 2, -2, true, true)
  %5: bf16[4,9], %6: i64[4,9] = aten::topk(%1, 9, 1, false, false)
  %7: i64[], %8: i64[] = aten::topk(%2, 1, 0, true, true)
  return %3, %4, %5, %6, %7, %8
)"),
            R"(top2_28x30_f32
top9_4x30_bf16
top1_1x1_i64
)");
}

TEST(Ordering, SortedRows) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30,7], %1: bool[4,30]{1,4}, %2: f16[]):
  %3: f32[4,30,7], %4: i64[4,30,7] = aten::sort(%0, 1, true)
  %5: bool[4,30], %6: i64[4,30] = aten::sort.stable(%1, true, -1, false)
  %7: i64[4,30]{1,4} = aten::argsort(%1, 0, true)
  %8: i64[4,30]{1,4} = aten::argsort.stable(%1, false, 0, true)
  %9: f32[4,30,7] = aten::msort(%0)
  %10: f16[], %11: i64[] = aten::sort(%2, -1, false)
  return %3, %4, %5, %6, %7, %8, %9, %10, %11
)"),
            R"(sort_28x30_f32
sort_4x30_bool
argsort_30x4_bool
argsort_30x4_bool
sort_210x4_f32
sort_1x1_f16
)");
}

/// Whether equal elements stay in order in the only step of a graph.
bool stay_in_order(const std::string& operand, const std::string& call) {
  const std::string text =
      "graph(%0: " + operand + "):\n  %1: i64[40000] = aten::" + call + "\n  return %1\n";
  return plan(parse_graph(text), float_rows(true)).steps.at(0).ordering.rows.in_order;
}

TEST(Ordering, EqualElementsStayInOrderWhereLibTorchLeavesThemSo) {
  EXPECT_FALSE(stay_in_order("f32[40000]", "argsort(%0, 0, false)"));
  EXPECT_TRUE(stay_in_order("f32[40000]", "argsort.stable(%0, true, 0, false)"));
  EXPECT_TRUE(stay_in_order("i64[40000]", "argsort(%0, 0, false)"));
  EXPECT_FALSE(stay_in_order("i64[40000]", "argsort(%0, 0, true)"));
  EXPECT_FALSE(stay_in_order("bool[40000]", "argsort(%0, 0, false)"));
  EXPECT_TRUE(stay_in_order("f32[40000]{0}", "argsort(%0, 0, false)"));
}

TEST(Ordering, NothingOfRowsIsAStepAndSoAreNoRows) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30], %1: f32[0,30]):
  %2: f32[4,0], %3: i64[4,0] = aten::topk(%0, 0, 1, true, true)
  %4: f32[0,5], %5: i64[0,5] = aten::topk(%1, 5, 1, true, true)
  return %2, %3, %4, %5
)"),
            R"(top0_4x30_f32
top5_0x30_f32
)");
}

TEST(Ordering, OnDevicesItStaysWithLibTorch) {
  const std::string text = R"(graph(%0: f32[4,30]):
  %1: f32[4,2], %2: i64[4,2] = aten::topk(%0, 2, 1, true, true)
  return %1, %2
)";
  EXPECT_EQ(testing::names(text, rows()), "eager aten::topk\n");
  EXPECT_EQ(testing::names(text, float_rows(false)), "eager aten::topk\n");
}

TEST(Ordering, ItsMemoryIsInTheArena) {
  EXPECT_EQ(planned(R"(graph(%0: f32[2,100]):
  %1: f32[2,40], %2: i64[2,40] = aten::topk(%0, 40, 1, true, true)
  %3: f32[2,40] = aten::relu(%1)
  return %3, %2
)",
                    float_rows(true)),
            R"(step 0: top40_2x100_f32
  %1: f32[2,40], %2: i64[2,40] = aten::topk(%0, 40, 1, true, true)
step 1: fused single_relu_f32 over [80]
  %3: f32[2,40] = aten::relu(%1)
  load  %1 in arena 832..1152 {1}
  store %3 in output of 320 bytes {1}
return %3 in output of 320 bytes, %2 in output of 640 bytes
arena 1152 of 1152 bytes
)");
}

TEST(Ordering, RowsThatNoFewDimsCountStay) {
  EXPECT_EQ(steps("graph(%0: f32[2,2,2,2,2,2,2,9]{1,2,4,8,16,32,64,128}):\n"
                  "  %1: f32[2,2,2,2,2,2,2,3], %2: i64[2,2,2,2,2,2,2,3] = aten::topk(%0, 3, 7, "
                  "true, true)\n"
                  "  return %1, %2\n"),
            "eager aten::topk\n");
}

}  // namespace
}  // namespace torchweld::testing
