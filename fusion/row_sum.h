// Sums and means over trailing dimensions of a dense tensor: one pass by hand.
#pragma once

#include "fusion/plan.h"

namespace torchweld {

/// Fills `out` (but its locations) when the node is such a sum or mean in float32.
bool make_row_sum(const Graph& graph, const Node& node, RowSum* out);

}  // namespace torchweld
