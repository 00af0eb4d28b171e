// Every row of the op table as CUDA against ATen and float64: schemas, dtypes, layouts and special
// values. op_table_aten_test.cpp runs more variants on the processor; here each kernel has to be
// compiled.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "kernels/cuda/nvrtc.h"
#include "kernels/cuda/skeleton_headers.h"
#include "tests/kernels/cuda/device.h"
#include "tests/kernels/cuda/op_runs.h"
#include "tests/virtual_gpu/virtual_device.h"

namespace torchweld {
namespace {

int64_t bytes_of_storage(const at::Tensor& t) { return static_cast<int64_t>(t.storage().nbytes()); }

/// The kernel's result, as a tensor on the host.
///
/// Tails begin off their alignment, so that the entry without vectors is taken. Of a large row the
/// places are what is asked for, so approximations are exact: among thousands of values some exp
/// is above its two ulps when an approximate instruction alone is off by as many.
at::Tensor launched(const OpRun& run, const Kernel& kernel, virtual_gpu::VirtualDevice& device) {
  device.set_jitter(run.layout != OpLayout::kLarge);
  at::Tensor got = at::zeros_like(run.eager);
  std::vector<void*> memory, pointers;
  const auto place = [&](const at::Tensor& t) {
    const int64_t skipped = run.layout == OpLayout::kTail ? t.element_size() : 0;
    memory.push_back(device.allocate(std::max<int64_t>(skipped + bytes_of_storage(t), 1)));
    char* const begin = static_cast<char*>(memory.back()) + skipped;
    device.copy(begin, t.storage().data(), bytes_of_storage(t), nullptr);
    pointers.push_back(begin + t.storage_offset() * t.element_size());
    return begin;
  };
  for (const at::Tensor& input : run.built.inputs) place(input);
  const char* const result = place(got);
  kernel.launch(run.built.geometry, pointers.data(), {});
  device.copy(got.storage().mutable_data(), result, bytes_of_storage(got), nullptr);
  device.synchronize(cuda::Stream{});
  for (void* m : memory) device.release(m);
  return got;
}

/// A kernel that some runs share.
struct Distinct {
  KernelSpec spec;
  cuda::Schedule schedule;
};

/// The kernel of each run. One program holds all of them, since half of a small compile goes into
/// reading the skeletons; the macro tells their bodies apart.
std::vector<std::shared_ptr<const Kernel>> compile_together(
    const std::vector<OpRun>& runs, const std::shared_ptr<cuda::Device>& device) {
  std::vector<Distinct> distinct;
  std::vector<size_t> kernel_of;
  for (const OpRun& run : runs) {
    const cuda::Schedule schedule = cuda::schedule_of(run.built.spec, run.built.geometry);
    size_t i = 0;
    while (i < distinct.size() &&
           !(distinct[i].schedule == schedule && distinct[i].spec.same_kernel(run.built.spec)))
      ++i;
    if (i == distinct.size()) distinct.push_back({run.built.spec, schedule});
    kernel_of.push_back(i);
  }
  std::vector<cuda::Source> sources;
  std::string all = "#include \"pointwise.cuh\"\n#include \"transpose.cuh\"\n";
  for (size_t i = 0; i < distinct.size(); ++i) {
    distinct[i].spec.name += "_" + std::to_string(i);
    sources.push_back(cuda::source_of(distinct[i].spec, distinct[i].schedule));
    all += "#define Body Body" + std::to_string(i) + "\n" + sources[i].text + "#undef Body\n";
  }
  cuda::CompileRequest request{"op_table.cu", all, cuda::skeleton_headers()};
  request.ptx_alone = true;  // what the virtual GPU reads; others see that it assembles
  const std::shared_ptr<cuda::Module> module = device->load(cuda::compile(request).image);
  std::vector<std::shared_ptr<const Kernel>> kernels, by_run;
  for (size_t i = 0; i < distinct.size(); ++i)
    kernels.push_back(std::make_shared<cuda::CudaKernel>(
        device, distinct[i].spec, distinct[i].schedule, sources[i], cuda::Program{}, module));
  for (const size_t i : kernel_of) by_run.push_back(kernels[i]);
  return by_run;
}

/// Where the sign of a zero is not compared: ATen's maximum of -0 and 0 is -0 on a CPU, and 0 on
/// CUDA, whose fmaxf gives that.
bool has_either_zero(const OpRow& row) { return row.name == "relu" || row.name == "relu6"; }

std::vector<std::string> failures_of(const OpRow& row) {
  std::vector<std::string> failures;
  const std::vector<OpRun> runs = op_runs(row);
  if (runs.empty()) return {std::string(row.name) + " was never run"};
  const auto device = std::make_shared<virtual_gpu::VirtualDevice>();
  const auto kernels = compile_together(runs, device);
  for (size_t i = 0; i < runs.size(); ++i) {
    const OpRun& run = runs[i];
    at::Tensor got = launched(run, *kernels[i], *device), eager = run.eager;
    if (has_either_zero(row)) got = got + 0, eager = eager + 0;
    const std::string difference = compare(got, eager, run.reference, row.tolerance, false);
    if (!difference.empty()) failures.push_back(run.what + ": " + difference);
  }
  return failures;
}

TEST(CudaOpTable, EveryRowMatchesAten) {
  const auto rows = all_ops();
  std::atomic<size_t> next{0};
  std::mutex mutex;  // of the failures
  const auto work = [&] {
    for (size_t i = next++; i < rows.size(); i = next++) {
      std::vector<std::string> failures;
      try {
        failures = failures_of(rows[i]);
      } catch (const std::exception& error) {
        failures = {std::string(rows[i].name) + ": " + error.what()};
      }
      const std::scoped_lock lock(mutex);
      for (const std::string& failure : failures) ADD_FAILURE() << failure;
    }
  };
  std::thread other(work);
  work();
  other.join();
}

}  // namespace
}  // namespace torchweld
