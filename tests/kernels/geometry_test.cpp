// Coalescing: what merges, what is reordered, what does not fit.
#include "kernels/geometry.h"

#include <gtest/gtest.h>

namespace torchweld {
namespace {

using Strides = std::vector<std::vector<int64_t>>;

TEST(Coalesce, ContiguousIsOneDim) {
  const auto layout = coalesce(std::vector<int64_t>{2, 3, 4}, Strides{{12, 4, 1}, {12, 4, 1}});
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->rank, 1);
  EXPECT_EQ(layout->geometry.sizes, (std::vector<int64_t>{24}));
  EXPECT_EQ(layout->geometry.strides, (Strides{{1}, {1}}));
  EXPECT_EQ(layout->classes[0][0], StrideClass::kOne);
  EXPECT_EQ(layout->geometry.elements, 24);
}

TEST(Coalesce, BroadcastKeepsTwoDims) {
  const auto layout = coalesce(std::vector<int64_t>{5, 7}, Strides{{7, 1}, {0, 1}, {7, 1}});
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->rank, 2);
  EXPECT_EQ(layout->geometry.strides, (Strides{{7, 1}, {0, 1}, {7, 1}}));
  EXPECT_EQ(layout->classes[1][0], StrideClass::kZero);
}

TEST(Coalesce, StoresDecideTheOrder) {
  // A channels-last output: its innermost dim is the second of the domain.
  const auto layout = coalesce(std::vector<int64_t>{2, 3, 4}, Strides{{12, 4, 1}, {12, 1, 3}});
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->geometry.sizes, (std::vector<int64_t>{2, 4, 3}));
  EXPECT_EQ(layout->geometry.strides, (Strides{{12, 1, 4}, {12, 3, 1}}));
}

TEST(Coalesce, AllTransposedIsOneDim) {
  const auto layout = coalesce(std::vector<int64_t>{3, 4}, Strides{{1, 3}, {1, 3}});
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->rank, 1);
  EXPECT_EQ(layout->geometry.strides, (Strides{{1}, {1}}));
}

TEST(Coalesce, SizeOneDimsVanish) {
  const auto layout =
      coalesce(std::vector<int64_t>{1, 6, 1, 2}, Strides{{99, 2, 99, 1}, {0, 2, 0, 1}});
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->rank, 1);
  EXPECT_EQ(layout->geometry.sizes, (std::vector<int64_t>{12}));
}

TEST(Coalesce, OneElementAndNoneLookContiguous) {
  for (const auto& domain :
       {std::vector<int64_t>{}, std::vector<int64_t>{1, 1}, std::vector<int64_t>{3, 0}}) {
    const auto layout = coalesce(domain, Strides(2, std::vector<int64_t>(domain.size(), 0)));
    ASSERT_TRUE(layout);
    EXPECT_EQ(layout->rank, 1);
    EXPECT_EQ(layout->classes[0][0], StrideClass::kOne);
    EXPECT_LE(layout->geometry.elements, 1);
  }
}

TEST(Coalesce, TooManyDimsDoNotFit) {
  const std::vector<int64_t> domain(7, 3);
  std::vector<int64_t> gaps(7), dense(7);
  for (size_t i = 7, stride = 1; i-- > 0; stride *= 3) {
    dense[i] = static_cast<int64_t>(stride);
    gaps[i] = i % 2 == 0 ? 0 : dense[i];
  }
  EXPECT_FALSE(coalesce(domain, Strides{gaps, dense}));
  EXPECT_TRUE(coalesce(domain, Strides{dense, dense}));
}

}  // namespace
}  // namespace torchweld
