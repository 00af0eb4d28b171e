// Every row of the op table as CUDA against ATen and float64: dtypes, layouts and special values.
// op_table_aten_test.cpp runs more schemas and variants on the processor; here each kernel has to
// be compiled, so one schema stands for a row.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "loader/dtypes.h"
#include "tests/kernels/cuda/device.h"
#include "tests/kernels/op_table_case.h"

namespace torchweld {
namespace {

/// One call, and what is known of its result.
struct OpRun {
  Built built;
  at::Tensor eager, reference;
  std::string what;
};

std::vector<OpCase> cases_of_row() {
  std::vector<OpCase> cases;
  for (const at::ScalarType dtype : kAten) {
    cases.push_back({dtype, dtype, OpLayout::kFlat, 0});
    if (dtype == at::kLong) cases.push_back({at::kFloat, dtype, OpLayout::kZeroDim, 1});
  }
  // One kernel serves these sizes, so they cost no compile.
  for (const OpLayout layout : {OpLayout::kOne, OpLayout::kEmpty, OpLayout::kTail})
    cases.push_back({at::kFloat, at::kFloat, layout, 0});
  for (const OpLayout layout : {OpLayout::kRows, OpLayout::kColumn, OpLayout::kTransposed,
                                OpLayout::kStrided, OpLayout::kZeroDim})
    cases.push_back({at::kFloat, at::kFloat, layout, 0});
  for (const OpLayout layout : {OpLayout::kRows, OpLayout::kZeroDim})
    cases.push_back({at::kHalf, at::kHalf, layout, 0});
  for (int variant = 1; variant < kVariants; ++variant)
    cases.push_back({at::kFloat, at::kFloat, OpLayout::kFlat, variant});
  return cases;
}

void add_runs(const OpRow& row, std::vector<OpRun>* runs) {
  const std::string schema(row.schemas.substr(0, row.schemas.find(' ')));
  const size_t dot = schema.find('.');
  const auto op = c10::Dispatcher::singleton().findSchema(
      {"aten::" + schema.substr(0, dot), dot == std::string::npos ? "" : schema.substr(dot + 1)});
  if (!op) return;
  for (const OpCase& c : cases_of_row()) {
    const c10::Stack stack = arguments_of(*op, c);
    const auto result = call(*op, stack);
    if (!result || dtype_of(result->scalar_type()) == DType::kOther) continue;
    const at::Tensor eager = result->clone();
    const auto wide = call(*op, widened(stack));
    const at::Tensor reference = wide && at::isFloatingType(eager.scalar_type()) ? *wide : eager;
    std::string why;
    const auto built = build(row, stack, eager, Rounding::kDefault, &why);
    if (!built) continue;
    runs->push_back({*built, eager, reference,
                     std::string(row.name) + " " + at::toString(c.first) + "/" +
                         at::toString(c.others) + " layout " +
                         std::to_string(static_cast<int>(c.layout)) + " variant " +
                         std::to_string(c.variant)});
  }
}

int64_t bytes_of_storage(const at::Tensor& t) { return static_cast<int64_t>(t.storage().nbytes()); }

/// The kernel's result, as a tensor on the host.
at::Tensor launched(const OpRun& run, const Kernel& kernel) {
  cuda::Device& device = shared_device();
  at::Tensor got = at::zeros_like(run.eager);
  std::vector<void*> memory, pointers;
  const auto place = [&](const at::Tensor& t) {
    memory.push_back(device.allocate(std::max<int64_t>(bytes_of_storage(t), 1)));
    device.copy(memory.back(), t.storage().data(), bytes_of_storage(t), nullptr);
    pointers.push_back(static_cast<char*>(memory.back()) + t.storage_offset() * t.element_size());
  };
  for (const at::Tensor& input : run.built.inputs) place(input);
  place(got);
  kernel.launch(run.built.geometry, pointers.data(), {});
  device.copy(got.storage().mutable_data(), memory.back(), bytes_of_storage(got), nullptr);
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
std::vector<std::shared_ptr<const Kernel>> compile_together(const std::vector<OpRun>& runs) {
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
  cuda::Source all;
  all.text = "#include \"pointwise.cuh\"\n#include \"transpose.cuh\"\n";
  for (size_t i = 0; i < distinct.size(); ++i) {
    distinct[i].spec.name += "_" + std::to_string(i);
    sources.push_back(cuda::source_of(distinct[i].spec, distinct[i].schedule));
    all.text += "#define Body Body" + std::to_string(i) + "\n" + sources[i].text + "#undef Body\n";
    all.entries.insert(all.entries.end(), sources[i].entries.begin(), sources[i].entries.end());
  }
  const auto& compiler = shared_backend().compiler();
  const std::shared_ptr<cuda::Module> module =
      compiler->device().load(compiler->program_of(all).image);
  std::vector<std::shared_ptr<const Kernel>> kernels, by_run;
  for (size_t i = 0; i < distinct.size(); ++i)
    kernels.push_back(std::make_shared<cuda::CudaKernel>(compiler->shared_device(),
                                                         distinct[i].spec, distinct[i].schedule,
                                                         sources[i], cuda::Program{}, module));
  for (const size_t i : kernel_of) by_run.push_back(kernels[i]);
  return by_run;
}

std::vector<std::string> failures_of(const OpRow& row) {
  std::vector<std::string> failures;
  std::vector<OpRun> runs;
  add_runs(row, &runs);
  if (runs.empty()) return {std::string(row.name) + " was never run"};
  const auto kernels = compile_together(runs);
  for (size_t i = 0; i < runs.size(); ++i) {
    const OpRun& run = runs[i];
    const std::string difference =
        compare(launched(run, *kernels[i]), run.eager, run.reference, row.tolerance, false);
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
