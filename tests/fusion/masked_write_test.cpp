// Writes of a number where a mask says.
#include "fusion/masked_write.h"

#include <gtest/gtest.h>

#include "loader/graph_text.h"

namespace torchweld::testing {
namespace {

std::string named(const std::string& node) {
  Graph graph = parse_graph(
      "graph(%0: f32[2,3,4], %1: bool[2,3], %2: bool[3,4]{1,3}, %3: f32[], %4: f32[1,1], %5: "
      "f32[4], %6: i64[2], %7: f64[], %8: bool[2,1]):\n  " +
      node + "\n  return %0\n");
  name_masked_writes(&graph);
  const std::string text = to_text(graph);
  const size_t begin = text.find("\n  ") + 3;
  const auto* mask = graph.nodes[0].args[1].tensor();
  return text.substr(begin, text.find('\n', begin) - begin) +
         (mask == nullptr ? "" : "; " + describe(graph, mask->id));
}

TEST(MaskedWrite, AMaskCoversTheDimsFromWhereItStands) {
  EXPECT_EQ(named("%0 = %0 <- aten::index_put_(%0, [%1], %3, false)"),
            R"(%0 = %0 <- aten::masked_fill_.Tensor(%0, %9, %3); %9: bool[2,3,1]{3,1,0})");
  EXPECT_EQ(named("%9: f32[2,3,4] = aten::index_put(%0, [undefined, %2], %4, false)"),
            R"(%9: f32[2,3,4] = aten::masked_fill.Tensor(%0, %11, %10); %11: bool[3,4]{1,3})");
}

TEST(MaskedWrite, OtherIndicesAndValuesStay) {
  for (const std::string arguments :
       {"[%1], %5, false", "[%1], %3, true", "[%6], %3, false", "[%1], %7, false",
        "[%8], %3, false", "[%6, %6], %3, false", "[undefined, undefined, %1], %3, false"}) {
    const std::string node = "%0 = %0 <- aten::index_put_(%0, " + arguments + ")";
    EXPECT_NE(named(node).find("aten::index_put_("), std::string::npos) << named(node);
  }
}

}  // namespace
}  // namespace torchweld::testing
