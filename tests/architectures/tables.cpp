#include "kernels/cuda/attention.h"
#include "kernels/cuda/embedding_bag.h"
#include "kernels/cuda/regions.h"
#include "kernels/cuda/suppression.h"
#include "tests/architectures/sources.h"
#include "tests/kernels/attention_case.h"
#include "tests/kernels/cuda/cases.h"
#include "tests/kernels/cuda/device.h"
#include "tests/kernels/cuda/op_runs.h"

namespace torchweld::testing {
namespace {

std::vector<Case> row_cases(DType dtype) {
  std::vector<Case> cases = {pooling_case(dtype, 2, 9, 11), channels_case(dtype, 3, 5, 16),
                             channels_case(dtype, 3, 40, 1), channels_case(dtype, 9, 3, 7)};
  for (const auto [rows, cols] : kRowSizes) {
    for (const int seed : {2, 3}) cases.push_back(reductions_case(dtype, rows, cols, seed));
    for (const bool over_columns : {false, true}) {
      cases.push_back(running_sum_case(dtype, rows, cols, over_columns));
      if (is_floating(dtype)) cases.push_back(softmax_case(dtype, rows, cols, over_columns));
    }
  }
  if (is_floating(dtype)) {
    for (const int64_t cols : {64, 770}) cases.push_back(layer_norm_case(dtype, 3, cols));
  }
  return cases;
}

void add_cases(DType dtype, std::vector<cuda::Source>* all) {
  std::vector<Case> cases = pointwise_cases(dtype);
  const auto append = [&](const std::vector<Case>& more) {
    cases.insert(cases.end(), more.begin(), more.end());
  };
  append(row_cases(dtype));
  if (is_floating(dtype)) append(contiguous_cases(dtype));
  for (const Case& c : cases) {
    const bool has_rows = c.spec.reduced > 0;
    for (ScheduledCase& s : on_every_skeleton(c)) {
      const bool best = s.fit == cuda::Fit::kBest;
      if (best || !has_rows || is_run_on_every_skeleton(c))
        all->push_back(cuda::source_of(c.spec, s.schedule));
      if (!best || has_rows) continue;
      s.schedule.wide = true;
      all->push_back(cuda::source_of(c.spec, s.schedule));
    }
  }
}

void add_operators(std::vector<cuda::Source>* all) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kF64}) {
    all->push_back(cuda::Regions::source_of({dtype, RegionMode::kAlign}));
    all->push_back(cuda::Regions::source_of({dtype, RegionMode::kPool}));
    all->push_back(cuda::Suppression::source_of(dtype));
  }
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kF64}) {
    for (const BagMode mode : {BagMode::kSum, BagMode::kMean, BagMode::kMax}) {
      for (const DType index : {DType::kI64, DType::kI32}) {
        // Columns of each vector width.
        for (const int64_t columns : {64, 68, 62, 63})
          all->push_back(
              cuda::EmbeddingBag::source_of({dtype, index, mode, 100, columns, columns}));
      }
    }
  }
  // Seven times a usual kernel's compile: each size once, each mask once.
  const auto attention = [&](DType dtype, int64_t head_size, DType mask, bool causal) {
    const AttentionCase c = make_call(dtype, head_size, 1, 1, mask, causal);
    all->push_back(cuda::Attention::source_of(c.shape));
  };
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    for (const int64_t head_size : {32, 40, 64, 80, 128})
      attention(dtype, head_size, DType::kOther, false);
    attention(dtype, 32, DType::kOther, true);
    for (const DType mask : {DType::kBool, dtype}) attention(dtype, 32, mask, false);
  }
}

}  // namespace

std::vector<cuda::Source> sources_of_tables() {
  std::vector<cuda::Source> all;
  for (const DType dtype : kCaseTypes) add_cases(dtype, &all);
  for (const OpRow& row : all_ops()) {
    for (const OpRun& run : op_runs(row)) {
      all.push_back(
          cuda::source_of(run.built.spec, cuda::schedule_of(run.built.spec, run.built.geometry)));
    }
  }
  add_operators(&all);
  return all;
}

}  // namespace torchweld::testing
