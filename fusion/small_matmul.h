// Which matmuls are small enough for the hand-written kernel: there the library's own overhead is
// most of the time.
#pragma once

#include "fusion/plan.h"

namespace torchweld {

/// Fills `out` (but its locations) when the node is such a matmul. Only float32 with constant
/// weights.
bool make_small_matmul(const Graph& graph, const Node& node, SmallMatmul* out);

/// The operands of a small matmul, in the order x, bias (kNone: none), result.
struct SmallMatmulValues {
  ValueId x = kNone, bias = kNone, out = kNone;
};
SmallMatmulValues values_of(const Node& node);

}  // namespace torchweld
