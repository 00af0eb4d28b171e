// Launches of the row skeletons.
#include <fmt/format.h>

#include "kernels/cuda/arguments.h"
#include "kernels/cuda/cuda_kernel.h"
#include "kernels/cuda/row_split.h"
#include "kernels/cuda/vector_width.h"
#include "torchweld/error.h"

namespace torchweld::cuda {
namespace {

constexpr int64_t kWarp = 32;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

void CudaKernel::launch_rows(const Run& run) const {
  const auto [rows, cols] = row_extent(spec_, run.geometry);
  if (rows == 0) return;
  const int64_t most = int64_t{schedule_.lanes} * schedule_.vector * schedule_.tiles;
  if (most > 0 && cols > most)
    throw Error(ErrorCode::kInternal,
                fmt::format("{} was compiled for rows of at most {} elements and is launched on "
                            "rows of {}; compile it for this geometry",
                            spec_.name, most, cols));
  Extents extents;
  extents.count = rows;
  extents.length = cols;
  extents.aligned = is_aligned(vector_operands_, run.pointers, schedule_.vector);
  if (schedule_.skeleton == Skeleton::kRowSplit) return launch_split(run, extents);
  int64_t blocks = rows;
  if (schedule_.skeleton == Skeleton::kRowThread) blocks = ceil_div(blocks, schedule_.threads);
  if (schedule_.skeleton == Skeleton::kRowColumns) blocks = ceil_div(blocks, kWarp);
  if (schedule_.skeleton == Skeleton::kRowWarp)
    blocks = ceil_div(blocks, schedule_.threads / schedule_.lanes);
  launch_entry(run, 0, extents, {static_cast<uint32_t>(blocks)});
}

void CudaKernel::launch_split(const Run& run, Extents extents) const {
  const RowSplit split =
      split_rows(extents.count, extents.length, schedule_, device_->info().multiprocessors);
  extents.chunk = split.chunk;
  extents.chunks = split.chunks;
  extents.workspace = run.scratch;
  if (run.scratch == nullptr)
    throw Error(ErrorCode::kInternal, fmt::format("{} is launched without its {} bytes of scratch",
                                                  spec_.name, scratch_bytes(run.geometry)));
  const auto rows = static_cast<uint32_t>(extents.count);
  for (size_t entry = 0; entry < functions_.size(); ++entry) {
    const bool is_phase = entry < static_cast<size_t>(phases_);
    launch_entry(run, entry, extents, {is_phase ? static_cast<uint32_t>(extents.chunks) : 1, rows});
  }
}

int64_t CudaKernel::scratch_bytes(const Geometry& geometry) const {
  return split_scratch_bytes(partials_, spec_, geometry, schedule_,
                             device_->info().multiprocessors);
}

}  // namespace torchweld::cuda
