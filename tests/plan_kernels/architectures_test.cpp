// The kernels that plans of the test archives are made of don't spill, and compile for other
// architectures without a warning. That they give LibTorch's answers, cuda_plans/archives_test.cpp
// sees; the kernels that aren't made from specs, kernels/cuda/architectures_test.cpp has.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "kernels/cuda/backend.h"
#include "kernels/cuda/nvrtc.h"
#include "kernels/cuda/skeleton_headers.h"
#include "tests/support/archives.h"
#include "tests/virtual_gpu/virtual_runtime.h"
#include "torchweld/engine.h"

namespace torchweld::testing {
namespace {

/// Makes the plans of one call, whose kernels stay in the runtime's back end.
void plan(const std::string& archive, const Options& options) {
  try {
    load(archive_path(archive), options).run(archive_inputs(archive).inputs);
  } catch (const std::exception&) {
    // Some archives are there to raise errors.
  }
}

/// The kernels of all archives, compiled for sm_90; of equal texts one.
const std::vector<KernelListing>& kernels_of_plans() {
  static const std::vector<KernelListing> kernels = [] {
    Options options;
    options.planning = Planning::kBlocking;
    options.runtime = virtual_gpu::virtual_runtime({.folder = TORCHWELD_KERNEL_CACHE});
    for (const std::string& archive : archive_names()) plan(archive, options);
    std::map<std::string, KernelListing> by_text;
    const auto& backend = dynamic_cast<cuda::CudaBackend&>(*options.runtime->backend());
    for (const auto& kernel : backend.kernels()) {
      KernelListing listing = kernel->listing();
      by_text.try_emplace(listing.source, listing);
    }
    std::vector<KernelListing> all;
    for (auto& [text, listing] : by_text) all.push_back(std::move(listing));
    return all;
  }();
  return kernels;
}

/// The skeleton's header, the one that a kernel's text includes.
std::string skeleton_of(const std::string& source) {
  const size_t begin = source.find("#include");
  return source.substr(begin, source.find('\n', begin) - begin);
}

/// Those of each skeleton that take the most registers, as these are the first to spill. There are
/// some thousands in all, and minutes of compiles: TORCHWELD_ALL_KERNELS=1 asks for them.
std::vector<std::string> sources_to_compile() {
  constexpr size_t kEach = 10;
  const bool all = std::getenv("TORCHWELD_ALL_KERNELS") != nullptr;
  std::vector<KernelListing> kernels = kernels_of_plans();
  std::stable_sort(kernels.begin(), kernels.end(),
                   [](const auto& a, const auto& b) { return a.registers > b.registers; });
  std::map<std::string, size_t> taken;  // by skeleton
  std::vector<std::string> sources;
  for (const KernelListing& kernel : kernels) {
    if (++taken[skeleton_of(kernel.source)] <= kEach || all) sources.push_back(kernel.source);
  }
  return sources;
}

/// What is wrong with the kernel on an architecture; empty: nothing.
std::string complaint(const std::string& source, int capability, bool for_it_alone) {
  cuda::CompileRequest request{"plan.cu", source, cuda::skeleton_headers()};
  request.capability = capability;
  request.for_it_alone = for_it_alone;
  const cuda::Compiled compiled = cuda::compile(request);
  if (compiled.image.cubin.empty() || compiled.kernels.empty()) return "no code";
  if (compiled.log.find("warning") != std::string::npos) return compiled.log;
  for (const auto& [entry, resources] : compiled.kernels) {
    if (resources.spill_bytes > 0) return entry + " spills";
  }
  return "";
}

TEST(PlanKernels, SpillNothing) {
  ASSERT_GT(kernels_of_plans().size(), 1000u);
  for (const KernelListing& kernel : kernels_of_plans()) {
    EXPECT_GT(kernel.registers, 0) << kernel.source;
    EXPECT_EQ(kernel.spill_bytes, 0) << kernel.source;
  }
}

TEST(PlanKernels, CompileCleanlyForEachArchitecture) {
  const std::vector<std::string> sources = sources_to_compile();
  ASSERT_GT(sources.size(), 50u);
  struct {
    int capability;
    bool for_it_alone;
  } constexpr kArchitectures[] = {{80, false}, {90, true}, {100, false}};
  constexpr size_t kCount = std::size(kArchitectures);
  std::atomic<size_t> next{0};
  std::mutex mutex;  // of the failures
  const auto work = [&] {
    for (size_t i = next++; i < sources.size() * kCount; i = next++) {
      const auto& [capability, alone] = kArchitectures[i % kCount];
      std::string what;
      try {
        what = complaint(sources[i / kCount], capability, alone);
      } catch (const std::exception& error) {
        what = error.what();
      }
      const std::scoped_lock lock(mutex);
      EXPECT_EQ(what, "") << "sm_" << capability << ":\n" << sources[i / kCount];
    }
  };
  std::thread other(work);
  work();
  other.join();
}

}  // namespace
}  // namespace torchweld::testing
