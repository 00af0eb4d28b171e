// roi_align and roi_pool on the host where torchvision leaves the answer undefined or takes for
// ever. Elsewhere: tests/loader/torchvision_ops_test.cpp, by torchvision's own answers.
#include "kernels/regions.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace torchweld {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

/// One cell of an image [4, 4] whose pixels are 1 to 16.
float cell(RegionMode mode, std::vector<float> region, int64_t sampling, int32_t* place = nullptr) {
  std::vector<float> image;
  for (int i = 1; i <= 16; ++i) image.push_back(static_cast<float>(i));
  RegionShape s;
  s.mode = mode;
  s.images = s.channels = s.regions = s.out_height = s.out_width = 1;
  s.height = s.width = 4;
  s.image_strides = {16, 16, 4, 1};
  s.region_strides = {5, 1};
  s.sampling = sampling;
  float out = -1;
  run_regions(s, {image.data(), region.data(), &out, place}, nullptr);
  return out;
}

TEST(Regions, ASampleLiesBetweenFourPixels) {
  EXPECT_EQ(cell(RegionMode::kAlign, {0, 0, 0, 1, 1}, 1), (1.0f + 2 + 5 + 6) / 4);
  EXPECT_EQ(cell(RegionMode::kAlign, {0, 2.5f, 2.5f, 3.5f, 3.5f}, 1), 16);
}

TEST(Regions, NaNIsNoPlace) {
  EXPECT_TRUE(std::isnan(cell(RegionMode::kAlign, {0, kNaN, 0, 2, 2}, 2)));
  EXPECT_EQ(cell(RegionMode::kAlign, {0, kNaN, 0, 2, 2}, 0), 0) << "no samples";
  EXPECT_EQ(cell(RegionMode::kAlign, {0, -kInf, 0, kInf, 2}, 0), 0) << "no samples";
  int32_t place = 0;
  EXPECT_EQ(cell(RegionMode::kPool, {0, kNaN, 1, 1, 2}, 0, &place), 10) << "columns 0 and 1";
  EXPECT_EQ(place, 9);
}

TEST(Regions, ARegionWithoutItsImageIsZero) {
  for (const float index : {-1.0f, 1.0f, kNaN}) {
    int32_t place = 7;
    EXPECT_EQ(cell(RegionMode::kAlign, {index, 0, 0, 2, 2}, 2), 0) << index;
    EXPECT_EQ(cell(RegionMode::kPool, {index, 0, 0, 2, 2}, 0, &place), 0) << index;
    EXPECT_EQ(place, -1);
  }
}

/// 10^14 samples, of which those within the image count. The sum of a sample a pixel over the image
/// and the pixel around it is that of its pixels, but for what the border repeats.
TEST(Regions, ALargeRegionCostsNoMoreThanTheImage) {
  const float out = cell(RegionMode::kAlign, {0, -4e6f, -4e6f, 6e6f, 6e6f}, 0);
  const double sum = static_cast<double>(out) * 1e14;
  EXPECT_GT(sum, 136);
  EXPECT_LT(sum, 136 * 3);
  EXPECT_EQ(cell(RegionMode::kPool, {0, -kInf, -kInf, kInf, kInf}, 0), 16);
}

}  // namespace
}  // namespace torchweld
