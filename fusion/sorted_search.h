// Operators that look for places in sorted rows, on the host.
#pragma once

#include <string>

#include "fusion/plan.h"
#include "loader/graph.h"

namespace torchweld {

/// searchsorted and bucketize of tensors. False where it isn't one of them, or in a form that stays
/// with LibTorch: a number, an order given beside the bounds, operands of two types.
bool make_sorted_search(const Graph& graph, const Node& node, SortedSearchCall* out);

/// "search_64x1000_f32": so many values among so many bounds.
std::string name_of_step(const SortedSearchCall& call);

}  // namespace torchweld
