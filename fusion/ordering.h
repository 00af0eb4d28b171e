// Operators that order rows or choose from their order, on the host.
#pragma once

#include <string>

#include "fusion/plan.h"
#include "loader/graph.h"

namespace torchweld {

/// topk, sort, argsort, msort. False where it isn't that, or in a form that stays with LibTorch.
bool make_ordering(const Graph& graph, const Node& node, OrderingCall* out);

/// "top20_64x1000_f32", "argsort_1x9_i64": what of how many rows of how many elements.
std::string name_of_step(const OrderingCall& call);

}  // namespace torchweld
