// Launches of the row skeletons.
#include <fmt/format.h>

#include <algorithm>

#include "kernels/cuda/arguments.h"
#include "kernels/cuda/cuda_kernel.h"
#include "kernels/cuda/vector_width.h"
#include "torchweld/error.h"

namespace torchweld::cuda {
namespace {

constexpr int64_t kWarp = 32;
constexpr int64_t kSlotBytes = 16;        // of one reduction: reductions.cuh's kSlot
constexpr int64_t kShortestChunk = 8192;  // elements that are worth a block

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

void CudaKernel::launch_rows(const Run& run) const {
  int64_t rows = 1, cols = 1;
  for (int d = 0; d < spec_.rank; ++d)
    (d < spec_.rank - spec_.reduced ? rows : cols) *= run.geometry.sizes[static_cast<size_t>(d)];
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
  // Two blocks for each multiprocessor, if their share of the row is worth it.
  const int64_t wanted = ceil_div(2 * int64_t{device_->info().multiprocessors}, extents.count);
  const int64_t chunks =
      std::clamp<int64_t>(extents.length / kShortestChunk, 1, std::max<int64_t>(wanted, 1));
  const int64_t stride = int64_t{schedule_.threads} * schedule_.vector;
  extents.chunk = std::max<int64_t>(ceil_div(ceil_div(extents.length, chunks), stride), 1) * stride;
  extents.chunks = std::max<int64_t>(ceil_div(extents.length, extents.chunk), 1);
  extents.workspace = workspace(
      phases_ * extents.count * extents.chunks * std::max<int64_t>(reductions_, 1) * kSlotBytes,
      run.stream);
  const auto rows = static_cast<uint32_t>(extents.count);
  for (size_t entry = 0; entry < functions_.size(); ++entry) {
    const bool is_phase = entry < static_cast<size_t>(phases_);
    launch_entry(run, entry, extents, {is_phase ? static_cast<uint32_t>(extents.chunks) : 1, rows});
  }
}

void* CudaKernel::workspace(int64_t bytes, Stream stream) const {
  const std::scoped_lock lock(mutex_);
  auto& [memory, size] = workspaces_[stream];
  if (size < bytes) {
    // Launches under way may still use the smaller one.
    if (memory != nullptr) {
      device_->synchronize(stream);
      device_->release(memory);
      memory = nullptr;
      size = 0;
    }
    memory = device_->allocate(bytes);
    size = bytes;
  }
  return memory;
}

}  // namespace torchweld::cuda
