#include "cli/compare.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <limits>

namespace torchweld::cli {
namespace {

using Values = std::vector<c10::IValue>;

c10::IValue tuple(Values values) { return c10::ivalue::Tuple::create(std::move(values)); }

TEST(Compare, UsesTheToleranceOfTheElementType) {
  const at::Tensor one = at::ones({4});
  EXPECT_FALSE(compare(one, one + 5e-6).mismatch);
  EXPECT_TRUE(compare(one, one + 5e-5).mismatch);
  EXPECT_FALSE(compare(one.to(at::kBFloat16), (one * 1.0078125).to(at::kBFloat16)).mismatch);
  EXPECT_TRUE(compare(one.to(at::kDouble), one.to(at::kDouble) + 1e-6).mismatch);
  EXPECT_FALSE(compare(one, one + 0.5, Tolerance{0, 1}).mismatch);
  EXPECT_NEAR(compare(one, one + 0.5, Tolerance{0, 1}).largest_error, 0.5, 1e-6);
}

TEST(Compare, NanEqualsNanAndInfinitiesTheirSign) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const at::Tensor special = at::tensor({nan, infinity, -infinity});
  EXPECT_FALSE(compare(special, special).mismatch);
  EXPECT_TRUE(compare(special, -special).mismatch);
  EXPECT_TRUE(compare(special, at::full({3}, nan, at::kDouble)).mismatch);
  EXPECT_TRUE(compare(nan, 1.0).mismatch);
  EXPECT_FALSE(compare(nan, nan).mismatch);
}

TEST(Compare, IntegersAreExactBeyondFloat64) {
  const at::Tensor large = at::full({2}, (int64_t{1} << 60) + 1, at::kLong);
  EXPECT_FALSE(compare(large, large.clone()).mismatch);
  EXPECT_TRUE(compare(at::full({2}, 3, at::kLong), at::full({2}, 4, at::kLong)).mismatch);
}

TEST(Compare, NoticesShapeTypeAndKind) {
  const at::Tensor x = at::ones({2, 3});
  EXPECT_TRUE(compare(x, x.t()).mismatch);
  EXPECT_TRUE(compare(x, x.to(at::kDouble)).mismatch);
  EXPECT_TRUE(compare(x, c10::IValue(1)).mismatch);
  EXPECT_TRUE(compare(1, 1.0).mismatch);
  EXPECT_TRUE(compare("a", "b").mismatch);
  EXPECT_FALSE(compare(c10::IValue(), c10::IValue()).mismatch);
}

TEST(Compare, SaysWhereInAStructure) {
  const at::Tensor x = at::ones({2});
  const auto comparison = compare(tuple({1, tuple({x, x})}), tuple({1, tuple({x, x + 1})}));
  ASSERT_TRUE(comparison.mismatch);
  EXPECT_EQ(comparison.mismatch->find("output[1][1]: "), 0u) << *comparison.mismatch;
  EXPECT_TRUE(compare(tuple({x}), tuple({x, x})).mismatch);
}

TEST(Compare, DictsKeepTheirOrder) {
  c10::Dict<std::string, int64_t> forward, backward;
  forward.insert("a", 1);
  forward.insert("b", 2);
  backward.insert("b", 2);
  backward.insert("a", 1);
  EXPECT_FALSE(compare(forward, forward).mismatch);
  EXPECT_TRUE(compare(forward, backward).mismatch);
}

}  // namespace
}  // namespace torchweld::cli
