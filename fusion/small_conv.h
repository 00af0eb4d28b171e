// Which convolutions have so few output positions that the hand-written kernel serves them better
// than the library.
#pragma once

#include "fusion/plan.h"

namespace torchweld {

/// Fills `out` (but its locations) when the node is such a convolution. Only float32 with constant
/// weights, no groups.
bool make_small_conv(const Graph& graph, const Node& node, SmallConv* out);

}  // namespace torchweld
