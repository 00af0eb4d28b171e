// What follows a hand-written kernel of the host, as part of the same call.
#pragma once

#include <functional>

#include "fusion/plan.h"

namespace torchweld {

/// Makes the node the kernel's next and last operation, where that is adding a tensor of the
/// result's shape which `takes` accepts, or limiting the result to a range, after which nothing
/// follows. False, and nothing changed, otherwise.
bool add_host_epilogue(const Graph& graph, const Node& node,
                       const std::function<bool(ValueId summand)>& takes, HostEpilogue* epilogue);

}  // namespace torchweld
