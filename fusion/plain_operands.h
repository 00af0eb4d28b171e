// Operators that are others in disguise, or one of whose operands doesn't broadcast to the result
// as it is recorded.
#pragma once

#include "loader/graph.h"

namespace torchweld {

/// prelu with a weight a channel becomes a choice between x and weight * x; casts to another
/// tensor's type no longer read that tensor; instance norms with given statistics are batch norms;
/// windows of poolings end where the image does. What is written is LibTorch's, too, so that it can
/// stay an eager step.
void plain_operands(Graph* graph);

}  // namespace torchweld
