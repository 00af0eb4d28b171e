// Which values show an element both.
#include "loader/graph.h"

#include <gtest/gtest.h>

namespace torchweld::testing {
namespace {

Value view(std::vector<int64_t> sizes, std::vector<int64_t> strides, int64_t offset = 0) {
  Value v;
  v.dtype = DType::kF32;
  v.sizes = std::move(sizes);
  v.strides = std::move(strides);
  v.offset = offset;
  v.storage = 0;
  return v;
}

TEST(MayOverlap, ChunksLieBetweenEachOther) {
  const Value whole = view({3, 7}, {7, 1}), left = view({3, 4}, {7, 1}),
              right = view({3, 3}, {7, 1}, 4), middle = view({3, 2}, {7, 1}, 3);
  EXPECT_FALSE(may_overlap(left, right));
  EXPECT_FALSE(may_overlap(right, left));
  EXPECT_TRUE(may_overlap(left, middle));
  EXPECT_TRUE(may_overlap(middle, right));
  EXPECT_TRUE(may_overlap(whole, right));
}

TEST(MayOverlap, RowsOfOtherStepsMeetWhereTheirDistanceIsOne) {
  const Value even = view({4, 2}, {4, 1}), odd = view({4, 2}, {4, 1}, 2),
              later = view({2, 2}, {4, 1}, 8), after = view({1, 2}, {4, 1}, 16);
  EXPECT_FALSE(may_overlap(even, odd));
  EXPECT_TRUE(may_overlap(even, later));
  EXPECT_FALSE(may_overlap(odd, later));
  EXPECT_FALSE(may_overlap(even, after));
}

TEST(MayOverlap, OtherStridesAreTakenToMeetWithinTheirBounds) {
  EXPECT_TRUE(may_overlap(view({2, 2}, {4, 1}), view({2, 2}, {1, 4}, 1)));
  EXPECT_FALSE(may_overlap(view({2, 2}, {4, 1}), view({2, 2}, {1, 4}, 6)));
}

TEST(MayOverlap, NothingMeetsAnEmptyValueOrAnotherStorage) {
  Value other = view({2}, {1});
  other.storage = 1;
  EXPECT_FALSE(may_overlap(view({2}, {1}), other));
  EXPECT_FALSE(may_overlap(view({2}, {1}), view({0}, {1})));
}

}  // namespace
}  // namespace torchweld::testing
