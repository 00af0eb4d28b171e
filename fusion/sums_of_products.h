// (a * b).sum(dims) where both broadcast: a matrix product by hand.
#pragma once

#include "fusion/planner.h"

namespace torchweld {

/// Makes products of sums over products of two float32 tensors of which one has dims that the other
/// broadcasts over, and the other way round: scores of queries and keys, the chunks of a state
/// space model. An operand is read once a tile of the result then, not once an element. On the host
/// alone: a device's library may be told to multiply in TF32. Not with exact rounding: products are
/// added otherwise. What no kernel takes stays.
void products_of_sums(Graph* graph, const Target& target);

}  // namespace torchweld
