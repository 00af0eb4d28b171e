// Images read between their pixels. The sums of all modes: tests/archives/sampling.py, against
// LibTorch.
#include "kernels/x86/grid_sample.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace torchweld::x86 {
namespace {

class GridSampleTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!__builtin_cpu_supports("avx2")) GTEST_SKIP() << "no AVX2";
  }

  /// An image of one row at x of the grid, whose corners are the outer pixels' centres.
  static std::vector<float> sampled(const std::vector<float>& image, std::vector<float> x,
                                    bool nearest, Outside outside) {
    GridSampleShape s;
    s.nearest = nearest;
    s.outside = outside;
    s.from_centres = true;
    s.images = s.channels = s.height = s.rows = 1;
    s.width = static_cast<int64_t>(image.size());
    s.cols = static_cast<int64_t>(x.size());
    s.image_strides = s.out_strides = {0, 0, 0, 1};
    s.grid_strides = {0, 0, 1, s.cols};
    std::vector<float> out(x.size(), 99);
    x.resize(2 * x.size(), 0);  // all y are in the middle
    grid_sample(s, image.data(), x.data(), out.data(), nullptr);
    return out;
  }
};

TEST_F(GridSampleTest, SharesBetweenPixels) {
  const std::vector<float> image{10, 20, 40};
  EXPECT_EQ(sampled(image, {-1, -0.5, 0, 0.75, 1}, false, Outside::kZeros),
            (std::vector<float>{10, 15, 20, 35, 40}));
  EXPECT_EQ(sampled(image, {-1, -0.25, 0.25, 0.75}, true, Outside::kZeros),
            (std::vector<float>{10, 20, 20, 40}));
}

TEST_F(GridSampleTest, WhatLiesOutside) {
  const std::vector<float> image{10, 20, 40}, x{-1.5, 1.5, -3, 2, 1e30f};
  EXPECT_EQ(sampled(image, x, false, Outside::kZeros), (std::vector<float>{5, 20, 0, 0, 0}));
  EXPECT_EQ(sampled(image, x, false, Outside::kBorder), (std::vector<float>{10, 40, 10, 40, 40}));
  const std::vector<float> mirrored = sampled(image, x, false, Outside::kReflection);
  EXPECT_EQ(std::vector<float>(mirrored.begin(), mirrored.begin() + 4),
            (std::vector<float>{15, 30, 40, 20}));
}

TEST_F(GridSampleTest, NoPlaceReadsNothing) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> image{10, 20, 40};
  const std::vector<float> out = sampled(image, {nan, inf, -inf}, false, Outside::kZeros);
  for (const float x : out) EXPECT_TRUE(std::isnan(x));
  EXPECT_EQ(sampled(image, {nan, inf, -inf}, true, Outside::kZeros), (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(sampled(image, {nan, inf, -inf}, false, Outside::kBorder),
            (std::vector<float>{10, 40, 10}));
}

TEST_F(GridSampleTest, MoreThanABlockAndParts) {
  GridSampleShape s;
  s.images = 2;
  s.channels = 3;
  s.height = s.width = 5;
  s.rows = 70;
  s.cols = 130;
  s.image_strides = {75, 25, 5, 1};
  s.grid_strides = {18200, 260, 2, 1};
  s.out_strides = {27300, 9100, 130, 1};
  std::vector<float> image(150), grid(2 * 18200), whole(2 * 27300), parts(whole.size());
  for (size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(i % 13);
  for (size_t i = 0; i < grid.size(); ++i) grid[i] = static_cast<float>(i % 211) / 100 - 1.05f;
  grid_sample(s, image.data(), grid.data(), whole.data(), nullptr);
  grid_sample(s, image.data(), grid.data(), parts.data(),
              [](int64_t count, int64_t grain, const auto& f) {
                ASSERT_LT(grain, count);
                f(0, count / 3);
                f(count / 3, count);
              });
  EXPECT_EQ(whole, parts);
}

}  // namespace
}  // namespace torchweld::x86
