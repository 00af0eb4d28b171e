// roi_align and roi_pool on the virtual GPU against the host's kernel, bit by bit.
#include "kernels/cuda/regions.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/scalar.h"
#include "tests/kernels/cuda/bytes.h"
#include "tests/kernels/cuda/device.h"

namespace torchweld {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

// image, left, top, right, bottom
const std::vector<std::vector<double>> kRegions = {{0, 1, 1, 7, 6},
                                                   {1, 0.3, 2.7, 5.2, 9.9},
                                                   {1, -3, -4, 2.5, 1.5},
                                                   {0, 6, 8, 30, 40},
                                                   {1, 50, 60, 70, 80},
                                                   {0, -90, -90, -50, -50},
                                                   {1, 5, 5, 5, 5},
                                                   {0, 7, 6, 2, 1},
                                                   {1, kNaN, 1, 4, 4},
                                                   {0, 1, 1, 4, kNaN},
                                                   {1, -kInf, 1, kInf, 4},
                                                   {0, 2, 2, kInf, 5},
                                                   {0, -9000, -9000, 9000, 9000},
                                                   {1, -20, 1, 60, 5},
                                                   {-1, 1, 1, 4, 4},
                                                   {2, 1, 1, 4, 4},
                                                   {kNaN, 1, 1, 4, 4},
                                                   {1, 0.5, 0.5, 3.5, 3.5},
                                                   {0, 9.4999, 2.5, 9.5001, 3.5}};

struct Result {
  std::vector<uint8_t> cells;
  std::vector<int32_t> places;
};

struct Operands {
  RegionShape shape;
  std::vector<uint8_t> images, regions;

  Result empty() const {
    const auto count = static_cast<size_t>(shape.regions * shape.cells());
    return {std::vector<uint8_t>(count * static_cast<size_t>(size_of(shape.dtype))),
            std::vector<int32_t>(shape.mode == RegionMode::kPool ? count : 0, 77)};
  }
};

Operands operands(DType dtype, RegionMode mode) {
  Operands o;
  RegionShape& s = o.shape;
  s.dtype = dtype;
  s.mode = mode;
  s.images = 2;
  s.channels = 3;
  s.height = 11;
  s.width = 9;
  s.image_strides = {297, 99, 9, 1};
  s.regions = static_cast<int64_t>(kRegions.size());
  s.region_strides = {5, 1};
  s.out_height = 3;
  s.out_width = 2;
  s.scale = 0.8;
  o.images = case_values(dtype, 2 * 297, 3, false);
  std::vector<double> corners;
  for (const auto& region : kRegions) corners.insert(corners.end(), region.begin(), region.end());
  o.regions = bytes_of(dtype, corners);
  return o;
}

Result on_host(const Operands& o) {
  Result r = o.empty();
  run_regions(o.shape,
              {o.images.data(), o.regions.data(), r.cells.data(),
               r.places.empty() ? nullptr : r.places.data()},
              nullptr);
  return r;
}

Result on_device(const Operands& o) {
  static cuda::Regions kernel(shared_backend().compiler());
  cuda::Device& device = shared_device();
  Result r = o.empty();
  std::vector<void*> memory;
  const auto place = [&](const void* bytes, size_t count) {
    memory.push_back(device.allocate(static_cast<int64_t>(std::max<size_t>(count, 1))));
    if (count > 0) device.copy(memory.back(), bytes, static_cast<int64_t>(count), nullptr);
    return memory.back();
  };
  RegionPointers pointers;
  pointers.images = place(o.images.data(), o.images.size());
  pointers.regions = place(o.regions.data(), o.regions.size());
  pointers.out = place(nullptr, 0);
  device.release(memory.back());
  pointers.out = memory.back() = device.allocate(static_cast<int64_t>(r.cells.size()) + 1);
  const auto place_bytes = static_cast<int64_t>(r.places.size() * sizeof(int32_t));
  if (place_bytes > 0) {
    memory.push_back(device.allocate(place_bytes));
    pointers.places = static_cast<int32_t*>(memory.back());
  }
  kernel.launch(o.shape, pointers, nullptr);
  device.copy(r.cells.data(), pointers.out, static_cast<int64_t>(r.cells.size()), nullptr);
  if (place_bytes > 0) device.copy(r.places.data(), pointers.places, place_bytes, nullptr);
  device.synchronize(cuda::Stream{});
  for (void* m : memory) device.release(m);
  return r;
}

double number(DType dtype, const std::vector<uint8_t>& bytes, size_t at) {
  const Scalar s = load_scalar(dtype, bytes.data() + at * static_cast<size_t>(size_of(dtype)));
  return dtype == DType::kF64 ? s.f64 : s.f32;
}

/// Equal bits, but for those of a NaN.
void expect_same(const Operands& o, const std::string& what) {
  const Result host = on_host(o), device = on_device(o);
  EXPECT_EQ(host.places, device.places) << what;
  const auto cells = static_cast<size_t>(o.shape.cells());
  for (size_t i = 0; i < cells * static_cast<size_t>(o.shape.regions); ++i) {
    const double want = number(o.shape.dtype, host.cells, i);
    const double got = number(o.shape.dtype, device.cells, i);
    const bool same =
        want == got ? std::signbit(want) == std::signbit(got) : std::isnan(want) && std::isnan(got);
    ASSERT_TRUE(same) << what << ": region " << i / cells << " cell " << i % cells << ": " << got
                      << ", not " << want;
  }
}

class CudaRegions : public testing::TestWithParam<DType> {};

TEST_P(CudaRegions, AlignAsTheHost) {
  for (const bool aligned : {false, true}) {
    for (const int64_t sampling : {-1, 0, 1, 2, 3}) {
      Operands o = operands(GetParam(), RegionMode::kAlign);
      o.shape.aligned = aligned;
      o.shape.sampling = sampling;
      expect_same(o, fmt::format("aligned {} sampling {}", aligned, sampling));
    }
  }
}

TEST_P(CudaRegions, PoolAsTheHost) {
  Operands o = operands(GetParam(), RegionMode::kPool);
  expect_same(o, "pool");
  o.shape.scale = 1;
  o.shape.out_height = 1;
  o.shape.out_width = 5;
  expect_same(o, "pool 1x5");
}

TEST_P(CudaRegions, SpecialPixels) {
  for (const RegionMode mode : {RegionMode::kAlign, RegionMode::kPool}) {
    Operands o = operands(GetParam(), mode);
    o.images = case_values(GetParam(), 2 * 297, 3, true);
    expect_same(o, "special pixels");
  }
}

TEST_P(CudaRegions, AnyStrides) {
  for (const RegionMode mode : {RegionMode::kAlign, RegionMode::kPool}) {
    Operands o = operands(GetParam(), mode);
    o.shape.image_strides = {297, 1, 27, 3};  // channels-last
    o.shape.region_strides = {1, o.shape.regions};
    expect_same(o, "strided");
    o.shape.image_strides = {0, 0, 9, 1};  // one image for all
    expect_same(o, "broadcast");
  }
}

TEST_P(CudaRegions, ImagesOfOnePixelAndNoRegions) {
  for (const RegionMode mode : {RegionMode::kAlign, RegionMode::kPool}) {
    Operands o = operands(GetParam(), mode);
    o.shape.height = o.shape.width = 1;
    expect_same(o, "one pixel");
    o.shape.regions = 0;
    expect_same(o, "no regions");
  }
}

INSTANTIATE_TEST_SUITE_P(DTypes, CudaRegions,
                         testing::Values(DType::kF32, DType::kF16, DType::kF64),
                         [](const auto& param) { return std::string(name_of(param.param)); });

TEST(CudaRegionsOutside, ARegionWithoutAnImageIsZero) {
  const Operands o = operands(DType::kF32, RegionMode::kAlign);
  const Result r = on_device(o);
  const auto cells = static_cast<size_t>(o.shape.cells());
  bool any = false;
  for (size_t i = 0; i < cells; ++i) any |= number(DType::kF32, r.cells, i) != 0;
  EXPECT_TRUE(any) << "the first region has an image";
  for (size_t i = 14 * cells; i < 17 * cells; ++i)
    ASSERT_EQ(number(DType::kF32, r.cells, i), 0) << i;
}

TEST(CudaRegionsLimits, AreSaidInWords) {
  std::string why;
  EXPECT_FALSE(cuda::Regions::accepts({DType::kBF16}, &why));
  EXPECT_NE(why.find("float16"), std::string::npos);
  RegionShape large;
  large.height = large.width = 1 << 20;
  EXPECT_FALSE(cuda::Regions::accepts(large, &why));
  EXPECT_NE(why.find("2^29"), std::string::npos);
}

}  // namespace
}  // namespace torchweld
