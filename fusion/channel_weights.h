// Weights of channels as operands that broadcast.
#pragma once

#include "loader/graph.h"

namespace torchweld {

/// prelu's weight, one number a channel, which is dim 1, becomes a view with the dims behind that:
/// an operator by element for the passes behind.
void spread_channel_weights(Graph* graph);

}  // namespace torchweld
