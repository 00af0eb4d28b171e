// Reductions and running sums that a kernel by hand computes on the host.
#pragma once

#include <string>

#include "fusion/plan.h"
#include "loader/graph.h"

namespace torchweld {

/// max.dim, min.dim, argmax, argmin, cumsum, cumprod, any and all; sums, products and extremes of
/// integers. False where it isn't one of them, or in a form that stays with LibTorch.
bool make_host_rows(const Graph& graph, const Node& node, HostRowsCall* out);

std::string name_of_step(const HostRowsCall& call);

}  // namespace torchweld
