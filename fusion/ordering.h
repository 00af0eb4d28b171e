// Operators that order rows or choose from their order, on the host.
#pragma once

#include <string>

#include "fusion/plan.h"
#include "loader/graph.h"

namespace torchweld {

/// topk. False where it isn't that, or in a form that stays with LibTorch.
bool make_ordering(const Graph& graph, const Node& node, OrderingCall* out);

/// "top20_64x1000_f32": what of how many rows of how many elements.
std::string name_of_step(const OrderingCall& call);

}  // namespace torchweld
