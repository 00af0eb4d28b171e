// Padding by name as numbers.
#include "fusion/padding_names.h"

#include <gtest/gtest.h>

#include "loader/graph_text.h"

namespace torchweld::testing {
namespace {

std::string numbered(const std::string& convolution) {
  Graph graph = parse_graph(
      "graph(%0: f32[1,4,9,9], %1: f32[8,4,3,4], %2: f32[8,4,3,5]):\n  %3: f32[1,8,9,9] = " +
      convolution + "\n  return %3\n");
  number_paddings(&graph);
  const std::string text = to_text(graph);
  const size_t begin = text.find("aten::");
  return text.substr(begin, text.find('\n', begin) - begin);
}

TEST(PaddingNames, ValidIsNone) {
  EXPECT_EQ(numbered(R"(aten::_convolution_mode(%0, %1, none, [1, 1], "valid", [1, 1], 1))"),
            "aten::conv2d(%0, %1, none, [1, 1], [0, 0], [1, 1], 1)");
}

TEST(PaddingNames, SameIsHalfOfTheKernelOnEitherSide) {
  EXPECT_EQ(numbered(R"(aten::conv2d.padding(%0, %2, none, [1, 1], "same", [2, 1], 1))"),
            "aten::conv2d(%0, %2, none, [1, 1], [2, 2], [2, 1], 1)");
}

TEST(PaddingNames, SidesThatDifferStay) {
  const std::string odd = R"(aten::_convolution_mode(%0, %1, none, [1, 1], "same", [1, 1], 1))";
  EXPECT_EQ(numbered(odd), odd);
}

}  // namespace
}  // namespace torchweld::testing
