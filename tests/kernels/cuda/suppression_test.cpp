// Non-maximum suppression on the virtual GPU against the host's kernel.
#include "kernels/cuda/suppression.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>

#include "tests/kernels/cuda/bytes.h"
#include "tests/kernels/cuda/device.h"

namespace torchweld {
namespace {

/// Corners are multiples of a quarter: exact in every dtype.
std::vector<double> boxes(int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> corner(0, 160), side(1, 40);
  std::vector<double> all;
  for (int64_t i = 0; i < count; ++i) {
    const double left = corner(random) / 4.0, top = corner(random) / 4.0;
    all.insert(all.end(), {left, top, left + side(random) / 4.0, top + side(random) / 4.0});
  }
  return all;
}

std::vector<int> as_numbers(const bool* kept, int64_t count) { return {kept, kept + count}; }

std::vector<int> on_host(const SuppressionShape& shape, const std::vector<double>& all) {
  SuppressionShape wide = shape;
  if (wide.dtype == DType::kF16) wide.dtype = DType::kF32;  // their sides are exact here
  const auto kept = std::make_unique<bool[]>(static_cast<size_t>(shape.count));
  run_suppression(wide, {bytes_of(wide.dtype, all).data(), nullptr, kept.get()});
  return as_numbers(kept.get(), shape.count);
}

std::vector<int> on_device(const SuppressionShape& shape, const std::vector<double>& all) {
  static cuda::Suppression kernels(shared_backend().compiler());
  cuda::Device& device = shared_device();
  const std::vector<uint8_t> bytes = bytes_of(shape.dtype, all);
  const auto size = static_cast<int64_t>(bytes.size());
  void* const at = device.allocate(size);
  device.copy(at, bytes.data(), size, nullptr);
  SuppressionPointers pointers{at};
  pointers.scratch = static_cast<uint64_t*>(device.allocate(shape.scratch_words() * 8));
  device.fill(pointers.scratch + shape.scratch_words() - shape.words(), 0, shape.words() * 8,
              nullptr);
  pointers.kept = static_cast<bool*>(device.allocate(shape.count));
  kernels.launch(shape, pointers, nullptr);
  const auto kept = std::make_unique<bool[]>(static_cast<size_t>(shape.count));
  device.copy(kept.get(), pointers.kept, shape.count, nullptr);
  device.synchronize(cuda::Stream{});
  device.release(at);
  device.release(pointers.scratch);
  device.release(pointers.kept);
  return as_numbers(kept.get(), shape.count);
}

class CudaSuppression : public testing::TestWithParam<DType> {};

TEST_P(CudaSuppression, KeepsWhatTheHostKeeps) {
  for (const int64_t count : {1, 2, 63, 64, 65, 300}) {
    for (const double threshold : {0.0, 0.3, 0.9}) {
      const SuppressionShape shape{GetParam(), count, threshold};
      const std::vector<double> all = boxes(count, static_cast<unsigned>(count));
      const std::vector<int> want = on_host(shape, all);
      EXPECT_EQ(on_device(shape, all), want) << count << " boxes, threshold " << threshold;
      if (count == 300 && threshold < 0.5) {
        const auto kept = std::count(want.begin(), want.end(), 1);
        EXPECT_GT(kept, 10);
        EXPECT_LT(kept, 290);
      }
    }
  }
}

TEST_P(CudaSuppression, StripByStrip) {
  SuppressionShape shape{GetParam(), 330, 0.2};
  const std::vector<double> all = boxes(shape.count, 5);
  const std::vector<int> want = on_host(shape, all);
  for (const int64_t strip : {64, 128}) {
    shape.strip = strip;
    EXPECT_EQ(on_device(shape, all), want) << strip;
  }
}

TEST_P(CudaSuppression, NaNAndEmptyBoxesOverlapNothing) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> all = {0, 0, 4, 4, nan, 0, 4, 4, 0, 0, 4, 4, 2, 2, 2, 2, 2, 2, 2, 2};
  const SuppressionShape shape{GetParam(), 5, 0.5};
  EXPECT_EQ(on_host(shape, all), (std::vector<int>{1, 1, 0, 1, 1}));
  EXPECT_EQ(on_device(shape, all), (std::vector<int>{1, 1, 0, 1, 1}));
}

/// Nothing is left of 0.5, and a threshold between two floats is not rounded.
TEST(CudaSuppressionThreshold, IsCompared) {
  const std::vector<double> all = {0, 0, 4, 4, 0, 0, 4, 2};
  for (const DType dtype : {DType::kF32, DType::kF64, DType::kF16}) {
    EXPECT_EQ(on_device({dtype, 2, 0.5}, all), (std::vector<int>{1, 1}));
    EXPECT_EQ(on_device({dtype, 2, 0.5 - 1e-12}, all), (std::vector<int>{1, 0}));
  }
}

INSTANTIATE_TEST_SUITE_P(DTypes, CudaSuppression,
                         testing::Values(DType::kF32, DType::kF16, DType::kF64),
                         [](const auto& param) { return std::string(name_of(param.param)); });

}  // namespace
}  // namespace torchweld
