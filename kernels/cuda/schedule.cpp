#include "kernels/cuda/schedule.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "kernels/cuda/choices.h"

namespace torchweld::cuda {
namespace {

// Threads beyond the last element still compute their place, so some room is left.
constexpr int64_t kMostNarrow = std::numeric_limits<int32_t>::max() - (1 << 16);

bool needs_wide(const KernelSpec& spec, const Geometry& geometry) {
  if (geometry.elements > kMostNarrow) return true;
  int64_t places = 1;
  for (const int64_t size : geometry.sizes) places *= std::max<int64_t>(size, 1);
  if (places > kMostNarrow) return true;
  for (const std::vector<int64_t>& strides : geometry.strides) {
    int64_t reach = 0;
    for (int d = 0; d < spec.rank; ++d) {
      const auto dim = static_cast<size_t>(d);
      reach += (std::max<int64_t>(geometry.sizes[dim], 1) - 1) * std::abs(strides[dim]);
    }
    if (reach > kMostNarrow) return true;
  }
  return false;
}

constexpr SkeletonRow kSkeletons[] = {
    {Skeleton::kTranspose, "transpose", choose_transpose},
    {Skeleton::kPointwise, "pointwise", choose_pointwise},
    {Skeleton::kRowThread, "row_thread", choose_row_thread},
    {Skeleton::kRowColumns, "row_columns", choose_row_columns},
    {Skeleton::kRowSplit, "row_split", choose_row_split},
    {Skeleton::kRowWarp, "row_warp", choose_row_warp},
    {Skeleton::kRowBlock, "row_block", choose_row_block},
};

}  // namespace

RowExtent row_extent(const KernelSpec& spec, const Geometry& geometry) {
  RowExtent extent;
  for (int d = 0; d < spec.rank; ++d) {
    const int64_t size = geometry.sizes[static_cast<size_t>(d)];
    (d < spec.rank - spec.reduced ? extent.rows : extent.cols) *= size;
  }
  return extent;
}

Problem problem_of(const KernelSpec& spec, const Geometry& geometry) {
  const RowExtent extent = row_extent(spec, geometry);
  return {spec, geometry, phases_of(spec), extent.rows, extent.cols, spec.rank - 1};
}

std::span<const SkeletonRow> all_skeletons() { return kSkeletons; }

const SkeletonRow& row_of(Skeleton skeleton) {
  return *std::find_if(std::begin(kSkeletons), std::end(kSkeletons),
                       [&](const SkeletonRow& row) { return row.skeleton == skeleton; });
}

Fit schedule_as(Skeleton skeleton, const KernelSpec& spec, const Geometry& geometry,
                Schedule* schedule) {
  *schedule = Schedule{};
  schedule->skeleton = skeleton;
  schedule->wide = needs_wide(spec, geometry);
  return row_of(skeleton).choose(problem_of(spec, geometry), schedule);
}

Schedule schedule_of(const KernelSpec& spec, const Geometry& geometry) {
  Schedule schedule;
  for (const SkeletonRow& row : kSkeletons) {
    if (schedule_as(row.skeleton, spec, geometry, &schedule) == Fit::kBest) break;
  }
  return schedule;
}

}  // namespace torchweld::cuda
