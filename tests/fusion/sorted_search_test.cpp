// Places in sorted rows, on the host: which nodes are steps of our own, and which stay.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

/// The names of the steps that make %9 of bounds, values and an order.
std::string step(const std::string& node, const Target& on = float_rows(true)) {
  return testing::names(
      "graph(%0: f32[9], %1: f32[4,9], %2: f32[4,6]{1,4}, %3: i64[4,9], %4: f64[4,6], %5: f32[], "
      "%6: f64[9]):\n"
      "  " +
          node + "\n  return %9\n",
      on);
}

/// What the only step's kernel is told.
x86::SortedSearch search(const std::string& rest) {
  const std::string text =
      "graph(%0: f32[4,9], %1: f32[4,6]):\n  %2: i64[4,6] = aten::searchsorted.Tensor(%0, %1, " +
      rest + ")\n  return %2\n";
  return plan(parse_graph(text), float_rows(true)).steps.at(0).sorted_search.search;
}

TEST(SortedSearch, IsAStepWhateverTheStrides) {
  EXPECT_EQ(step("%9: i64[4,6] = aten::bucketize.Tensor(%2, %0, false, true)"),
            "search_24x9_f32\n");
  EXPECT_EQ(step("%9: i32[4,6] = aten::bucketize.Tensor(%2, %0, true, false)"),
            "search_24x9_f32\n");
  EXPECT_EQ(step("%9: i64[4,6] = aten::searchsorted.Tensor(%1, %2, false, false, none, undefined)"),
            "search_24x9_f32\n");
  EXPECT_EQ(step("%9: i64[] = aten::searchsorted.Tensor(%0, %5, false, false, none, none)"),
            "search_1x9_f32\n");
  EXPECT_EQ(step("%9: i64[4,6] = aten::bucketize.Tensor(%4, %6, false, false)"),
            "search_24x9_f64\n");
}

TEST(SortedSearch, WhatIsTwoTypesOrGivenInAnOrderStays) {
  const std::string stays = "eager aten::searchsorted.Tensor\n";
  EXPECT_EQ(step("%9: i64[4,6] = aten::searchsorted.Tensor(%1, %4, false, false, none, none)"),
            stays);
  EXPECT_EQ(step("%9: i64[4,6] = aten::searchsorted.Tensor(%1, %2, false, false, none, %3)"),
            stays);
  EXPECT_EQ(
      step("%9: i64[4,6] = aten::searchsorted.Tensor(%1, %2, false, false, none, none)", rows()),
      stays);
}

TEST(SortedSearch, ASideSaysWhatAFlagDoes) {
  EXPECT_FALSE(search("false, false, none, none").right);
  EXPECT_TRUE(search("false, true, none, none").right);
  EXPECT_TRUE(search("false, false, \"right\", none").right);
  EXPECT_FALSE(search("false, false, \"left\", none").right);
}

TEST(SortedSearch, RowsOfBoundsFollowTheValues) {
  const x86::SortedSearch s = search("false, false, none, none");
  ASSERT_EQ(s.dims, 2u);
  EXPECT_EQ(s.row_strides[0], 9);
  EXPECT_EQ(s.row_strides[1], 0);
  EXPECT_EQ(s.bounds, 9);
}

}  // namespace
}  // namespace torchweld::testing
