// embedding, index_select and an index of one tensor as copies of rows by hand. On a device they
// are members of generated kernels (moves.h).
#pragma once

#include "fusion/plan.h"

namespace torchweld {

/// Fills `out` (but its locations) when the node takes whole rows, each one stretch of memory, by
/// one dense tensor of int64 or int32. Small ones only: LibTorch shares large ones among threads.
bool make_row_gather(const Graph& graph, const Node& node, RowGather* out);

}  // namespace torchweld
