// How few long rows are cut into chunks, a block each, and the memory for their partial results.
#pragma once

#include <cstdint>

#include "kernels/cuda/schedule.h"
#include "kernels/kernel.h"

namespace torchweld::cuda {

/// Rows as chunks.
struct RowSplit {
  int64_t chunk = 0;   ///< elements, a multiple of what a block reads at once
  int64_t chunks = 1;  ///< of one row
};

RowSplit split_rows(int64_t rows, int64_t cols, const Schedule& schedule, int multiprocessors);

/// Partial results that one chunk leaves: one a reduction and phase, since a phase's are read while
/// the next one's are written.
int64_t partials_of(const KernelSpec& spec);

/// Bytes of the partial results of all chunks; 0 for the other skeletons.
int64_t split_scratch_bytes(int64_t partials, const KernelSpec& spec, const Geometry& geometry,
                            const Schedule& schedule, int multiprocessors);

}  // namespace torchweld::cuda
