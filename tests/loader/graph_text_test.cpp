// Graphs print and parse back, and text that is no graph is refused with its line.
#include "loader/graph_text.h"

#include <gtest/gtest.h>

#include "torchweld/error.h"

namespace torchweld {
namespace {

void expect_round_trip(const std::string& text) { EXPECT_EQ(to_text(parse_graph(text)), text); }

TEST(GraphText, ComesBackAsItWas) {
  expect_round_trip(R"(graph(%0: f32[3,4], %1: f32[4]):
  %2: f32[4,4] = constant(0)
  %3: f32[] is 2.5 = derived(1)
  %4: f32[3,4] = aten::linear(%0, %2, %1)  # code/__torch__/model.py:12
  %5: f32[4,3]{1,4} @%4 = aten::t(%4)
  %6: f32[2,4] @%4+4 = aten::slice.Tensor(%4, 0, 1, 3, 1)
  %4 <- aten::relu_(%4)
  %5 = %5 <- aten::add_.Tensor(%5, %3, 1)
  return %4, %5
)");
}

TEST(GraphText, EveryKindOfArgument) {
  expect_round_trip(R"(graph(%0: f32[3]):
  %1: f32[3] = my::op.out(none, %0, undefined, [%0, undefined], tensors[], 3, -4, 2.5, 1e+30, inf, -inf, nan, true, false, "a \"b\" \\n \\ c\nd", [1, 2], [], floats[1.0, -0.5], bools[true, false], device:cuda:0, opaque(3))
  return %1
)");
}

TEST(GraphText, EveryKindOfValue) {
  expect_round_trip(
      R"(graph(%0: f32[], %1: f64[0], %2: f16[1,1], %3: bf16[2,3]{1,2}, %4: i64[2]{0}, %5: other[4] opaque):
  %6: bool[] is 1 = constant(0)
  %7: i64[] is -7 = constant(1)
  %8: f64[1] is 0.1 = constant(2)
  %9: u8[5], _, %10: i8[5] = my::three(%4, %6, %7, %8)
  return %9, %10
)");
}

TEST(GraphText, EveryEnding) {
  for (const std::string ending :
       {"return", "return %1", "continue_on_value", "continue_on_value %1  # m.py:3",
        "continue_on_shape %0, %1", "continue_joined %1"}) {
    expect_round_trip("graph(%0: f32[3]):\n  %1: f32[3] = aten::relu(%0)\n  " + ending + "\n");
  }
}

TEST(GraphText, ImpureNodesAndHostReads) {
  expect_round_trip(R"(graph(%0: f32[]):
  %1: f32[] = aten::rand_like(%0) draws  # m.py:1
  aten::item(%1) reads_host  # m.py:2
  continue_on_value  # m.py:2
)");
}

TEST(GraphText, StringsWithBackslashes) {
  const Graph graph = parse_graph("graph():\n  my::op(\"\\\\n\\n\\\"\")\n  return\n");
  EXPECT_EQ(std::get<std::string>(graph.nodes[0].args[0].value), "\\n\n\"");
}

/// The message of the error that parsing gives.
std::string refusal(const std::string& text) {
  try {
    parse_graph(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadText);
    return error.what();
  }
  ADD_FAILURE() << "parsed: " << text;
  return "";
}

TEST(GraphText, MalformedTextIsRefusedWithItsLine) {
  EXPECT_NE(refusal("").find("line 1"), std::string::npos);
  EXPECT_NE(refusal("graf():").find("line 1"), std::string::npos);
  EXPECT_NE(refusal("graph(%0: f33[3]):\n  return\n").find("f33"), std::string::npos);
  EXPECT_NE(refusal("graph(%0: f32[3]):\n  %1: f32[3] = aten::relu(%7)\n  return\n").find("line 2"),
            std::string::npos);
  EXPECT_NE(refusal("graph(%0: f32[3]):\n\n  return %9\n").find("line 3"), std::string::npos);
  EXPECT_NE(refusal("graph(%0: f32[3]):\n  return %0\nmore").find("the end"), std::string::npos);
}

TEST(GraphText, NoPrefixOfAGraphCrashes) {
  const std::string whole = R"(graph(%0: f32[3,4]{1,3}, %1: other[] opaque):
  %2: f32[] is 2.0 = constant(0)
  %3: f32[3,4] @%0+4 = my::op(%0, [%0, %1], [1, 2], "a\"", floats[1.0], bools[true], device:cpu, opaque(1), -3)  # m.py:1
  %3 <- aten::relu_(%3)
  return %3  # m.py:2
)";
  int refused = 0;
  for (size_t n = 0; n < whole.size(); ++n) {
    try {
      parse_graph(whole.substr(0, n));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kBadText);
      ++refused;
    }
  }
  EXPECT_GT(refused, 200);
}

}  // namespace
}  // namespace torchweld
