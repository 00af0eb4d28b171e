// Operators that are others in disguise, or one of whose operands doesn't broadcast to the result
// as it is recorded.
#pragma once

#include "loader/graph.h"

namespace torchweld {

/// prelu's weight, one number a channel, which is dim 1, becomes a view with the dims behind that;
/// casts to another tensor's type no longer read that tensor; instance norms with given
/// statistics are batch norms; windows of poolings end where the image does. For the passes behind
/// all are operators like others.
void plain_operands(Graph* graph);

}  // namespace torchweld
