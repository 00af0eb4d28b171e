#include "kernels/cuda/row_split.h"

#include <algorithm>

#include "kernels/phases.h"

namespace torchweld::cuda {
namespace {

constexpr int64_t kSlotBytes = 16;        // of one reduction: reductions.cuh's kSlot
constexpr int64_t kShortestChunk = 8192;  // elements that are worth a block

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

RowSplit split_rows(int64_t rows, int64_t cols, const Schedule& schedule, int multiprocessors) {
  // Two blocks for each multiprocessor, if their share of the row is worth it.
  const int64_t wanted = ceil_div(2 * int64_t{multiprocessors}, rows);
  const int64_t chunks =
      std::clamp<int64_t>(cols / kShortestChunk, 1, std::max<int64_t>(wanted, 1));
  const int64_t stride = int64_t{schedule.threads} * schedule.vector;
  RowSplit split;
  split.chunk = std::max<int64_t>(ceil_div(ceil_div(cols, chunks), stride), 1) * stride;
  split.chunks = std::max<int64_t>(ceil_div(cols, split.chunk), 1);
  return split;
}

int64_t partials_of(const KernelSpec& spec) {
  const int64_t reductions = std::count_if(
      spec.body.begin(), spec.body.end(), [](const Inst& inst) { return is_reduction(inst.prim); });
  return phases_of(spec).count * std::max<int64_t>(reductions, 1);
}

int64_t split_scratch_bytes(int64_t partials, const KernelSpec& spec, const Geometry& geometry,
                            const Schedule& schedule, int multiprocessors) {
  if (schedule.skeleton != Skeleton::kRowSplit) return 0;
  const RowExtent extent = row_extent(spec, geometry);
  if (extent.rows == 0) return 0;
  const RowSplit split = split_rows(extent.rows, extent.cols, schedule, multiprocessors);
  return partials * extent.rows * split.chunks * kSlotBytes;
}

}  // namespace torchweld::cuda
