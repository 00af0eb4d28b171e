// Kernels of every skeleton compile for other architectures, without a warning or a spill.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "kernels/cuda/attention.h"
#include "kernels/cuda/embedding_bag.h"
#include "kernels/cuda/nvrtc.h"
#include "kernels/cuda/regions.h"
#include "kernels/cuda/skeleton_headers.h"
#include "kernels/cuda/source.h"
#include "kernels/cuda/suppression.h"
#include "tests/kernels/attention_case.h"
#include "tests/kernels/cuda/cases.h"
#include "tests/kernels/cuda/device.h"

namespace torchweld {
namespace {

/// One source for each kind of body and each skeleton that takes it; of dtypes other than f32, for
/// the skeleton that would be chosen.
std::vector<cuda::Source> sources() {
  std::vector<cuda::Source> all;
  for (const DType dtype :
       {DType::kF32, DType::kF16, DType::kBF16, DType::kF64, DType::kI64, DType::kU8}) {
    std::vector<Case> cases = {reductions_case(dtype, 7, 130), running_sum_case(dtype, 7, 130),
                               pooling_case(dtype, 2, 9, 11)};
    if (is_floating(dtype)) {
      cases.push_back(softmax_case(dtype, 7, 130));
      cases.push_back(layer_norm_case(dtype, 7, 130));
    }
    for (const Case& c : pointwise_cases(dtype)) {
      if (c.name.starts_with("broadcast") || c.name.starts_with("permuted") ||
          c.name.starts_with("scatter_add"))
        cases.push_back(c);
    }
    for (const Case& c : cases) {
      for (const ScheduledCase& s : on_every_skeleton(c)) {
        const bool everywhere = dtype == DType::kF32;
        if (everywhere || s.fit == cuda::Fit::kBest)
          all.push_back(cuda::source_of(s.c.spec, s.schedule));
      }
    }
  }
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kF64}) {
    all.push_back(cuda::Regions::source_of({dtype, RegionMode::kAlign}));
    all.push_back(cuda::Regions::source_of({dtype, RegionMode::kPool}));
    all.push_back(cuda::Suppression::source_of(dtype));
  }
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kF64}) {
    for (const BagMode mode : {BagMode::kSum, BagMode::kMean, BagMode::kMax})
      all.push_back(cuda::EmbeddingBag::source_of({dtype, DType::kI64, mode, 100, 64, 64}));
    // Columns that don't fill a vector.
    all.push_back(cuda::EmbeddingBag::source_of({dtype, DType::kI32, BagMode::kSum, 100, 63, 63}));
  }
  // Head sizes of either tiling, with and without a mask.
  for (const AttentionCase& c : {make_call(DType::kF32, 64, 9, 9, DType::kOther, false),
                                 make_call(DType::kF16, 80, 9, 9, DType::kBool, false),
                                 make_call(DType::kBF16, 128, 9, 9, DType::kOther, true)})
    all.push_back(cuda::Attention::source_of(c.shape));
  return all;
}

struct Architecture {
  int capability;
  bool for_it_alone = false;
};

std::string name_of_architecture(const testing::TestParamInfo<Architecture>& info) {
  return fmt::format("sm_{}{}", info.param.capability, info.param.for_it_alone ? "a" : "");
}

class CudaArchitectures : public testing::TestWithParam<Architecture> {};

TEST_P(CudaArchitectures, CompileCleanly) {
  const std::vector<cuda::Source> all = sources();
  ASSERT_GT(all.size(), 40u);
  std::atomic<size_t> next{0};
  std::mutex mutex;  // of the expectations
  const auto work = [&] {
    for (size_t i = next++; i < all.size(); i = next++) {
      cuda::CompileRequest request;
      request.name = all[i].entries.front() + ".cu";
      request.source = all[i].text;
      request.headers = cuda::skeleton_headers();
      request.capability = GetParam().capability;
      request.for_it_alone = GetParam().for_it_alone;
      const cuda::Compiled compiled = cuda::compile(request);
      const std::scoped_lock lock(mutex);
      EXPECT_FALSE(compiled.image.cubin.empty()) << request.name;
      EXPECT_EQ(compiled.log.find("warning"), std::string::npos) << compiled.log;
      EXPECT_EQ(compiled.kernels.size(), all[i].entries.size()) << request.name;
      for (const auto& [entry, resources] : compiled.kernels)
        EXPECT_EQ(resources.spill_bytes, 0) << all[i].text.substr(0, all[i].text.find("\n"));
    }
  };
  std::thread other(work);
  work();
  other.join();
}

INSTANTIATE_TEST_SUITE_P(Capabilities, CudaArchitectures,
                         testing::Values(Architecture{80}, Architecture{90, true},
                                         Architecture{100}),
                         name_of_architecture);

}  // namespace
}  // namespace torchweld
