// Row specs as CUDA against the reference, on every skeleton that takes them.
#include <gtest/gtest.h>

#include "tests/kernels/cuda/cases.h"
#include "tests/kernels/cuda/device.h"

namespace torchweld {
namespace {

void expect_agreement(const std::vector<Case>& cases) {
  std::vector<ScheduledCase> all;
  for (const Case& c : cases) {
    for (ScheduledCase& s : on_every_skeleton(c)) {
      if (is_run_on_every_skeleton(c) || s.fit == cuda::Fit::kBest) all.push_back(std::move(s));
    }
  }
  ASSERT_FALSE(all.empty());
  for (const std::string& difference : differences(all)) ADD_FAILURE() << difference;
}

class CudaRows : public testing::TestWithParam<DType> {};

TEST_P(CudaRows, Reductions) {
  std::vector<Case> cases;
  for (const auto [rows, cols] : kRowSizes)
    cases.push_back(reductions_case(GetParam(), rows, cols));
  expect_agreement(cases);
}

// NaN, infinities, denormals, and many ties.
TEST_P(CudaRows, ReductionsOfSpecialValues) {
  expect_agreement({reductions_case(GetParam(), 37, 8, 3), reductions_case(GetParam(), 7, 33, 5),
                    reductions_case(GetParam(), 2, 1025, 7)});
}

TEST_P(CudaRows, RunningSums) {
  std::vector<Case> cases;
  for (const auto [rows, cols] : kRowSizes) {
    cases.push_back(running_sum_case(GetParam(), rows, cols));
    cases.push_back(running_sum_case(GetParam(), rows, cols, true));
  }
  expect_agreement(cases);
}

TEST_P(CudaRows, Pooling) { expect_agreement({pooling_case(GetParam(), 2, 9, 11)}); }

TEST_P(CudaRows, Channels) {
  expect_agreement({channels_case(GetParam(), 3, 5, 16), channels_case(GetParam(), 3, 40, 1),
                    channels_case(GetParam(), 9, 3, 7)});
}

INSTANTIATE_TEST_SUITE_P(DTypes, CudaRows, testing::ValuesIn(kCaseTypes),
                         [](const auto& param) { return std::string(name_of(param.param)); });

class CudaFloatRows : public testing::TestWithParam<DType> {};

TEST_P(CudaFloatRows, Softmax) {
  std::vector<Case> cases;
  for (const auto [rows, cols] : kRowSizes) {
    cases.push_back(softmax_case(GetParam(), rows, cols));
    cases.push_back(softmax_case(GetParam(), rows, cols, true));
  }
  expect_agreement(cases);
}

TEST_P(CudaFloatRows, SoftmaxOfSpecialValues) {
  expect_agreement({softmax_case(GetParam(), 37, 8, false, 3),
                    softmax_case(GetParam(), 9, 33, true, 5),
                    softmax_case(GetParam(), 9, 1025, false, 7)});
}

TEST_P(CudaFloatRows, LayerNorm) {
  expect_agreement({layer_norm_case(GetParam(), 3, 64), layer_norm_case(GetParam(), 2, 770)});
}

INSTANTIATE_TEST_SUITE_P(DTypes, CudaFloatRows,
                         testing::Values(DType::kF32, DType::kF16, DType::kBF16, DType::kF64),
                         [](const auto& param) { return std::string(name_of(param.param)); });

// Two elements a row and 70000 a row are the schedules' extremes; few rows of the latter are split.
TEST(CudaRowChoices, FollowTheShapeOfTheRows) {
  const auto skeleton = [](const Case& c) {
    return cuda::schedule_of(c.spec, c.geometry).skeleton;
  };
  EXPECT_EQ(skeleton(softmax_case(DType::kF32, 100, 500)), cuda::Skeleton::kRowWarp);
  EXPECT_EQ(skeleton(softmax_case(DType::kF32, 100, 5000)), cuda::Skeleton::kRowBlock);
  EXPECT_EQ(skeleton(softmax_case(DType::kF32, 2, 70000)), cuda::Skeleton::kRowSplit);
  EXPECT_EQ(skeleton(softmax_case(DType::kF32, 100, 500, true)), cuda::Skeleton::kRowColumns);
  EXPECT_EQ(skeleton(softmax_case(DType::kF32, 100, 9, true)), cuda::Skeleton::kRowThread);
  EXPECT_EQ(skeleton(pooling_case(DType::kF32, 2, 9, 11)), cuda::Skeleton::kRowThread);
  EXPECT_EQ(skeleton(running_sum_case(DType::kF32, 100, 500, true)), cuda::Skeleton::kRowThread);
  EXPECT_EQ(skeleton(running_sum_case(DType::kF32, 100, 5000)), cuda::Skeleton::kRowBlock);
}

// Every skeleton, since each has threads that read a row while others already store theirs.
TEST(CudaRowMemory, AStoreMayReplaceItsLoad) {
  cuda::Device& device = shared_device();
  for (const Case& c :
       {softmax_case(DType::kF32, 5, 130), softmax_case(DType::kF32, 40, 33, true)}) {
    for (const ScheduledCase& s : on_every_skeleton(c)) {
      const auto kernel = shared_backend().compile_as(s.c.spec, s.schedule);
      const std::vector<uint8_t>& x = c.operands[0].bytes;
      const auto bytes = static_cast<int64_t>(x.size());
      void* const in = device.allocate(bytes);
      void* const out = device.allocate(bytes);
      device.copy(in, x.data(), bytes, nullptr);
      void* const apart[] = {in, out};
      launch_and_wait(*kernel, c.geometry, apart, device);
      void* const in_place[] = {in, in};
      launch_and_wait(*kernel, c.geometry, in_place, device);
      std::vector<uint8_t> want(x.size()), got(x.size());
      device.copy(want.data(), out, bytes, nullptr);
      device.copy(got.data(), in, bytes, nullptr);
      device.synchronize(cuda::Stream{});
      EXPECT_EQ(got, want) << cuda::row_of(s.schedule.skeleton).name;
      device.release(in);
      device.release(out);
    }
  }
}

TEST(CudaRowChoices, LongRowsAreSplitAndRight) {
  expect_agreement({reductions_case(DType::kI64, 2, 70000)});
}

TEST(CudaRowChoices, LongerRowsThanCompiledForAreRefused) {
  const Case c = softmax_case(DType::kF32, 4, 64), longer = softmax_case(DType::kF32, 4, 1024);
  std::string why;
  const auto kernel = shared_backend().compile(c.spec, c.geometry, &why);
  void* const nowhere[] = {nullptr, nullptr};
  EXPECT_ANY_THROW(kernel->launch(longer.geometry, nowhere, {}));
}

}  // namespace
}  // namespace torchweld
