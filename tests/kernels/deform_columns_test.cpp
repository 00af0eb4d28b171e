// Columns where torchvision leaves the answer undefined. Elsewhere:
// tests/loader/torchvision_ops_test.cpp, by torchvision's own answers.
#include "kernels/deform_columns.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace torchweld {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

/// What one tap reads at (y, x) of an image [2, 2].
float read(float y, float x, std::vector<float> image = {1, 2, 3, 4}) {
  DeformShape s;
  s.channels = 1;
  s.image_strides = {4, 2, 1};
  s.size = {2, 2};
  s.filter = s.stride = s.dilation = s.out = {1, 1};
  const std::vector<float> offsets = {y, x};
  std::vector<float> bordered(static_cast<size_t>(s.bordered()));
  float out = -1;
  run_deform_columns(s, {image.data(), offsets.data(), nullptr, bordered.data(), &out}, nullptr);
  return out;
}

TEST(DeformColumns, APlaceLiesBetweenFourPixelsOfWhichThoseOutsideAreZero) {
  EXPECT_EQ(read(0.5f, 0.5f), 2.5f);
  EXPECT_EQ(read(1, 1), 4);
  EXPECT_EQ(read(-0.5f, 0), 0.5f);
  EXPECT_EQ(read(1.5f, 1.5f), 1);
}

TEST(DeformColumns, APlaceOutsideReadsNothing) {
  for (const float far : {-1.0f, 2.0f, -1e30f, 1e30f, -kInf, kInf}) {
    EXPECT_EQ(read(far, 0, {kNaN, kInf, kNaN, kInf}), 0) << far;
    EXPECT_EQ(read(0, far, {kNaN, kInf, kNaN, kInf}), 0) << far;
  }
}

TEST(DeformColumns, APlaceAtNaNReadsNaN) {
  EXPECT_TRUE(std::isnan(read(kNaN, 0)));
  EXPECT_TRUE(std::isnan(read(0, kNaN)));
}

}  // namespace
}  // namespace torchweld
