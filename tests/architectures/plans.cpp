// Plans are made and not run: that they are right, cuda_plans/archives_test.cpp sees.
#include <map>
#include <mutex>

#include "kernels/cuda/backend.h"
#include "tests/architectures/sources.h"
#include "tests/support/archives.h"
#include "tests/support/oracle.h"
#include "tests/virtual_gpu/virtual_runtime.h"
#include "torchweld/engine.h"

namespace torchweld::testing {
namespace {

/// Makes the plans of two calls, by the interpreter's walk.
void plan(const std::string& archive, const Options& options) {
  const Values inputs = archive_inputs(archive).inputs;
  for (const bool other : {false, true}) {
    try {
      load(archive_path(archive), options).run(other ? other_shape(inputs) : inputs);
    } catch (const std::exception&) {
      // Some archives are there to raise errors, and some take no other shape.
    }
  }
}

}  // namespace

const std::vector<PlanKernel>& kernels_of_plans() {
  static const std::vector<PlanKernel> kernels = [] {
    Options options;
    options.planning = Planning::kBlocking;
    options.runtime = virtual_gpu::virtual_runtime({.folder = TORCHWELD_KERNEL_CACHE});
    std::mutex mutex;  // of by_text: a plan's kernels are compiled side by side
    std::map<std::string, PlanKernel> by_text;
    auto& backend = dynamic_cast<cuda::CudaBackend&>(*options.runtime->backend());
    backend.compiler()->set_watcher([&](const cuda::Source& source, const cuda::Program& program) {
      const std::scoped_lock lock(mutex);
      by_text.try_emplace(source.text, PlanKernel{source, program.kernels});
    });
    for (const std::string& archive : archive_names()) plan(archive, options);
    backend.compiler()->set_watcher(nullptr);
    std::vector<PlanKernel> all;
    for (auto& [text, kernel] : by_text) all.push_back(std::move(kernel));
    return all;
  }();
  return kernels;
}

}  // namespace torchweld::testing
