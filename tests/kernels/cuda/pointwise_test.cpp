// Pointwise specs as CUDA against the reference, on every skeleton that takes them.
#include <gtest/gtest.h>

#include "tests/kernels/cuda/cases.h"
#include "tests/kernels/cuda/device.h"

namespace torchweld {
namespace {

class CudaPointwise : public testing::TestWithParam<DType> {};

TEST_P(CudaPointwise, AgreesWithTheReference) {
  std::vector<ScheduledCase> all;
  for (const Case& c : pointwise_cases(GetParam())) {
    for (ScheduledCase& s : on_every_skeleton(c)) all.push_back(std::move(s));
  }
  ASSERT_GE(all.size(), 20u);
  for (const std::string& difference : differences(all)) ADD_FAILURE() << difference;
}

// The same text with 64-bit places: no tensor of a test is large enough to choose it.
TEST_P(CudaPointwise, AgreesWithWidePlaces) {
  std::vector<ScheduledCase> all;
  for (const Case& c : pointwise_cases(GetParam())) {
    for (ScheduledCase& s : on_every_skeleton(c)) {
      if (s.fit != cuda::Fit::kBest || c.geometry.elements < 40) continue;
      s.schedule.wide = true;
      all.push_back(std::move(s));
    }
  }
  for (const std::string& difference : differences(all)) ADD_FAILURE() << difference;
}

INSTANTIATE_TEST_SUITE_P(DTypes, CudaPointwise, testing::ValuesIn(kCaseTypes),
                         [](const auto& param) { return std::string(name_of(param.param)); });

// out = out * 2, in place.
TEST(CudaPointwiseMemory, AStoreMayReplaceItsLoad) {
  CaseBuilder b("in_place", {1001});
  const int16_t x = b.load(DType::kF32);
  b.store(b.body().emit(Prim::kMul, DType::kF32, x, b.body().constant(DType::kF32, 2)),
          DType::kF32);
  const Case c = b.finish();
  std::string why;
  const auto kernel = shared_backend().compile(c.spec, c.geometry, &why);
  ASSERT_NE(kernel, nullptr) << why;
  std::vector<float> values(1001);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  cuda::Device& device = shared_device();
  const auto bytes = static_cast<int64_t>(values.size() * sizeof(float));
  void* const memory = device.allocate(bytes);
  device.copy(memory, values.data(), bytes, nullptr);
  void* const pointers[] = {memory, memory};
  kernel->launch(c.geometry, pointers, {});
  device.copy(values.data(), memory, bytes, nullptr);
  device.synchronize(cuda::Stream{});
  device.release(memory);
  for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], 2 * static_cast<float>(i));
}

TEST(CudaPointwiseMemory, LargeDomainsTakeWidePlaces) {
  CaseBuilder b("wide", {16});
  b.store(b.load(DType::kF32), DType::kF32);
  const Case c = b.finish();
  EXPECT_FALSE(cuda::schedule_of(c.spec, c.geometry).wide);
  Geometry large = c.geometry;
  large.sizes = {int64_t{1} << 31};
  large.elements = large.sizes[0];
  EXPECT_TRUE(cuda::schedule_of(c.spec, large).wide);
}

TEST(CudaPointwiseMemory, SizesAloneCompileNothing) {
  const auto flat = [](int64_t elements) {
    CaseBuilder b("sizes", {elements});
    b.store(b.load(DType::kF32), DType::kF32);
    return b.finish();
  };
  const Case small = flat(3), large = flat(100003);
  std::string why;
  EXPECT_EQ(shared_backend().compile(small.spec, small.geometry, &why),
            shared_backend().compile(large.spec, large.geometry, &why));
}

}  // namespace
}  // namespace torchweld
