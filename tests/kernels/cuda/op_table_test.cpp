// Every row of the op table as CUDA against ATen and float64: dtypes, layouts and special values.
// op_table_aten_test.cpp runs more schemas and variants on the processor; here each kernel is a
// compile, so one schema stands for a row.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "loader/dtypes.h"
#include "tests/kernels/cuda/device.h"
#include "tests/kernels/op_table_case.h"

namespace torchweld {
namespace {

/// One kernel to compile and its results to compare.
struct OpRun {
  const OpRow* row;
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
  ASSERT_TRUE(op.has_value()) << schema;
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
    runs->push_back({&row, *built, eager, reference,
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

TEST(CudaOpTable, EveryRowMatchesAten) {
  std::vector<OpRun> runs;
  for (const OpRow& row : all_ops()) {
    const size_t before = runs.size();
    add_runs(row, &runs);
    EXPECT_GT(runs.size(), before) << row.name << " was never run";
  }
  std::atomic<size_t> next{0};
  std::mutex mutex;  // of what follows
  std::set<std::string> failures;
  const auto work = [&] {
    for (size_t i = next++; i < runs.size(); i = next++) {
      const OpRun& run = runs[i];
      std::string why, difference;
      try {
        const auto kernel = shared_backend().compile(run.built.spec, run.built.geometry, &why);
        difference = kernel == nullptr ? why
                                       : compare(launched(run, *kernel), run.eager, run.reference,
                                                 run.row->tolerance, false);
      } catch (const std::exception& error) {
        difference = error.what();
      }
      const std::scoped_lock lock(mutex);
      if (!difference.empty()) failures.insert(run.what + ": " + difference);
    }
  };
  std::thread other(work);
  work();
  other.join();
  for (const std::string& failure : failures) ADD_FAILURE() << failure;
  RecordProperty("runs", std::to_string(runs.size()));
}

}  // namespace
}  // namespace torchweld
