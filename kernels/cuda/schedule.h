// Which skeleton runs a spec, and how: chosen from the spec and the geometry of the first launch.
// What it is not: the text (source.h) or the launch (launch.h), which both follow from it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/kernel.h"
#include "kernels/phases.h"

namespace torchweld::cuda {

enum class Skeleton : uint8_t {
  kTranspose,
  kPointwise,
  kRowThread,
  kRowColumns,
  kRowSplit,
  kRowWarp,
  kRowBlock,
};

/// With the spec, all that the code depends on.
struct Schedule {
  Skeleton skeleton = Skeleton::kPointwise;
  bool wide = false;  ///< 64-bit places; 32-bit ones where every offset fits
  int vector = 1;     ///< consecutive elements a thread takes at once
  int threads = 256;  ///< a block
  int lanes = 1;      ///< threads that share a row
  int tiles = 0;      ///< vectors of a row that a thread keeps in registers; 0: reads them again
  int across = -1;    ///< transpose: the dim along which the transposed loads are contiguous
  bool operator==(const Schedule&) const = default;
};

/// A geometry as rows; a pointwise one is a single row.
struct RowExtent {
  int64_t rows = 1, cols = 1;
};
RowExtent row_extent(const KernelSpec& spec, const Geometry& geometry);

/// What the skeletons are asked about.
struct Problem {
  const KernelSpec& spec;
  const Geometry& geometry;
  Phases phases;
  int64_t rows = 1, cols = 1;  ///< a pointwise spec is one row
  int last = 0;                ///< the innermost dim
};

Problem problem_of(const KernelSpec& spec, const Geometry& geometry);

/// How well a skeleton suits a problem.
enum class Fit : uint8_t {
  kNone,      ///< gives no right answer
  kPossible,  ///< right, but another one is expected to be faster
  kBest,
};

/// One skeleton: its text, and when it is the one. `choose` fills in what it decides; the first row
/// of the table that says kBest wins.
struct SkeletonRow {
  Skeleton skeleton;
  std::string_view name;  ///< "row_warp": the .cuh and its kernel template
  Fit (*choose)(const Problem& problem, Schedule* schedule);
};

/// All skeletons, in the order in which they are asked.
std::span<const SkeletonRow> all_skeletons();
const SkeletonRow& row_of(Skeleton skeleton);

/// Never fails: pointwise and block-a-row take everything that accepts() lets through.
Schedule schedule_of(const KernelSpec& spec, const Geometry& geometry);

/// The decisions of a skeleton of the caller's choice.
Fit schedule_as(Skeleton skeleton, const KernelSpec& spec, const Geometry& geometry,
                Schedule* schedule);

/// Whether a load reads its operand at the element's own place: no gather, no predicate.
inline bool is_plain_load(const Inst& inst) {
  return inst.prim == Prim::kLoad && inst.args[0] < 0 && inst.args[1] < 0;
}
/// Whether a store writes a whole vector of elements at their own places.
inline bool is_plain_store(const StoreSpec& store) {
  return store.offset < 0 && store.predicate < 0 && !store.accumulates && !store.per_row;
}

}  // namespace torchweld::cuda
