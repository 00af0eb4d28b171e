// Every row of the op table as CUDA against ATen and float64: schemas, dtypes, layouts and special
// values. op_table_aten_test.cpp runs more variants on the processor; here each kernel has to be
// compiled.
#include <gtest/gtest.h>

#include <atomic>
#include <iterator>
#include <mutex>
#include <sstream>
#include <thread>

#include "kernels/cuda/nvrtc.h"
#include "kernels/cuda/skeleton_headers.h"
#include "loader/dtypes.h"
#include "tests/kernels/cuda/device.h"
#include "tests/kernels/op_table_case.h"
#include "tests/virtual_gpu/virtual_device.h"

namespace torchweld {
namespace {

/// One call, and what is known of its result.
struct OpRun {
  Built built;
  at::Tensor eager, reference;
  OpLayout layout;
  std::string what;
};

/// Everything for a row's first schema; for its others every dtype, and in float32 every variant of
/// the arguments.
std::vector<OpCase> cases_of_schema(bool first) {
  std::vector<OpCase> cases;
  for (const at::ScalarType dtype : kAten) {
    for (int layout = 0; layout < static_cast<int>(first ? OpLayout::kCount : OpLayout::kOne);
         ++layout)
      cases.push_back({dtype, dtype, static_cast<OpLayout>(layout), 0});
  }
  if (first) cases.push_back({at::kFloat, at::kLong, OpLayout::kZeroDim, 1});
  for (int variant = 1; variant < kVariants; ++variant)
    cases.push_back({at::kFloat, at::kFloat, OpLayout::kFlat, variant});
  return cases;
}

std::vector<std::string> schemas_of(const OpRow& row) {
  std::istringstream words{std::string(row.schemas)};
  return {std::istream_iterator<std::string>(words), {}};
}

void add_runs(const OpRow& row, const std::string& schema, bool first, std::vector<OpRun>* runs) {
  const size_t dot = schema.find('.');
  const auto op = c10::Dispatcher::singleton().findSchema(
      {"aten::" + schema.substr(0, dot), dot == std::string::npos ? "" : schema.substr(dot + 1)});
  if (!op) return;  // op_table_aten_test.cpp says whether it may be missing
  for (const OpCase& c : cases_of_schema(first)) {
    const c10::Stack stack = arguments_of(*op, c);
    const auto result = call(*op, stack);
    if (!result || dtype_of(result->scalar_type()) == DType::kOther) continue;
    const at::Tensor eager = result->clone();
    const auto wide = call(*op, widened(stack));
    const at::Tensor reference = wide && at::isFloatingType(eager.scalar_type()) ? *wide : eager;
    std::string why;
    const auto built = build(row, stack, eager, Rounding::kDefault, &why);
    if (!built) continue;
    runs->push_back({*built, eager, reference, c.layout,
                     schema + " " + at::toString(c.first) + "/" + at::toString(c.others) +
                         " layout " + std::to_string(static_cast<int>(c.layout)) + " variant " +
                         std::to_string(c.variant)});
  }
}

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
  std::vector<OpRun> runs;
  bool first = true;
  for (const std::string& schema : schemas_of(row)) {
    add_runs(row, schema, first, &runs);
    first = false;
  }
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
