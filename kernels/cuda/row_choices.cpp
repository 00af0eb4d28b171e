// Choices among the skeletons of rows.
#include <algorithm>
#include <bit>
#include <cstdlib>

#include "kernels/cuda/choices.h"
#include "kernels/cuda/needs.h"
#include "kernels/cuda/vector_width.h"

namespace torchweld::cuda {
namespace {

constexpr int64_t kShortRow = 32;        // elements that one thread walks without much regret
constexpr int64_t kWarpRow = 1024;       // columns
constexpr int64_t kKeptWords = 64;       // registers a thread that hold its part of a row
constexpr int64_t kLongRow = 64 * 1024;  // elements that one block alone would wait for
constexpr int64_t kFewRows = 64;         // too few blocks to fill a device of some hundred SMs

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t power_of_two(int64_t n) {
  return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(n, 1))));
}

/// How the elements of rows lie in memory.
struct Rows {
  bool along = false;    // some operand is contiguous along the row
  bool across = false;   // some operand is contiguous from row to row
  int64_t row_step = 0;  // smallest stride from row to row; 0: no operand moves
  int64_t words = 0;     // registers of one element of each load that several phases read
  bool has_running_sum = false;
};

Rows rows_of(const Problem& problem) {
  Rows rows;
  const KernelSpec& spec = problem.spec;
  const auto last = static_cast<size_t>(problem.last);
  const auto kept = static_cast<size_t>(spec.rank - spec.reduced - 1);  // the innermost kept dim
  const auto add = [&](const OperandSpec& operand, size_t index) {
    rows.along = rows.along || operand.strides[last] == StrideClass::kOne;
    rows.across = rows.across || operand.strides[kept] == StrideClass::kOne;
    const int64_t step = std::abs(problem.geometry.strides[index][kept]);
    if (step != 0) rows.row_step = rows.row_step == 0 ? step : std::min(rows.row_step, step);
  };
  for (size_t i = 0; i < spec.body.size(); ++i) {
    const Inst& inst = spec.body[i];
    rows.has_running_sum = rows.has_running_sum || inst.prim == Prim::kRunningSum;
    if (!is_plain_load(inst) || problem.phases.per_row[i]) continue;
    const auto operand = static_cast<size_t>(inst.operand);
    add(spec.loads[operand], operand);
    const unsigned phases = phases_of_load(spec, problem.phases, operand);
    if (std::popcount(phases) > 1) rows.words += size_of(inst.type) > 4 ? 2 : 1;
  }
  for (size_t i = 0; i < spec.stores.size(); ++i) {
    if (is_plain_store(spec.stores[i])) add(spec.stores[i].operand, spec.loads.size() + i);
  }
  return rows;
}

/// Vectors that each of `lanes` threads keeps so that it holds its part of a row; 0: too many.
int tiles_for(const Problem& problem, const Rows& rows, int64_t lanes, int vector) {
  const int64_t tiles = power_of_two(ceil_div(problem.cols, lanes * vector));
  return tiles * vector * std::max<int64_t>(rows.words, 1) <= kKeptWords ? static_cast<int>(tiles)
                                                                         : 0;
}

}  // namespace

Fit choose_row_thread(const Problem& problem, Schedule* schedule) {
  if (problem.spec.reduced == 0) return Fit::kNone;
  const Rows rows = rows_of(problem);
  schedule->vector = 1;
  schedule->threads = 128;
  // Neighbouring threads should read neighbouring elements: rows next to one another, or windows
  // that overlap or touch.
  const bool beside = rows.across && !rows.along;
  const bool windows = rows.row_step > 0 && rows.row_step < problem.cols;
  if (rows.has_running_sum && beside) return Fit::kBest;
  return problem.cols <= kShortRow && (beside || windows || !rows.along) ? Fit::kBest
                                                                         : Fit::kPossible;
}

Fit choose_row_columns(const Problem& problem, Schedule* schedule) {
  if (problem.spec.reduced == 0) return Fit::kNone;
  const Rows rows = rows_of(problem);
  if (rows.has_running_sum) return Fit::kNone;
  schedule->lanes = problem.cols >= 512 ? 16 : 8;
  schedule->threads = 32 * schedule->lanes;
  return rows.across && !rows.along ? Fit::kBest : Fit::kPossible;
}

Fit choose_row_split(const Problem& problem, Schedule* schedule) {
  if (problem.spec.reduced == 0) return Fit::kNone;
  const Rows rows = rows_of(problem);
  if (rows.has_running_sum) return Fit::kNone;
  schedule->vector = vector_width(problem);
  schedule->lanes = schedule->threads = 256;
  return problem.rows <= kFewRows && problem.cols >= kLongRow ? Fit::kBest : Fit::kPossible;
}

Fit choose_row_warp(const Problem& problem, Schedule* schedule) {
  if (problem.spec.reduced == 0) return Fit::kNone;
  const Rows rows = rows_of(problem);
  schedule->vector = vector_width(problem);
  schedule->threads = 128;
  schedule->lanes = static_cast<int>(
      std::min<int64_t>(32, power_of_two(ceil_div(problem.cols, schedule->vector))));
  schedule->tiles = tiles_for(problem, rows, schedule->lanes, schedule->vector);
  const bool keeps = schedule->tiles > 0 || problem.phases.count == 1;
  return problem.cols <= kWarpRow && keeps ? Fit::kBest : Fit::kPossible;
}

Fit choose_row_block(const Problem& problem, Schedule* schedule) {
  if (problem.spec.reduced == 0) return Fit::kNone;
  const Rows rows = rows_of(problem);
  schedule->vector = vector_width(problem);
  // One phase reads each element once: there is nothing to keep.
  schedule->threads = 256;
  if (problem.phases.count > 1) {
    schedule->tiles = tiles_for(problem, rows, 256, schedule->vector);
    if (schedule->tiles == 0) {
      schedule->threads = 512;
      schedule->tiles = tiles_for(problem, rows, 512, schedule->vector);
    }
  }
  schedule->lanes = schedule->threads;
  return Fit::kBest;
}

}  // namespace torchweld::cuda
