// Which nodes must run before which: data, in-place writes, and the order of random draws.
#pragma once

#include <vector>

#include "loader/graph.h"

namespace torchweld {

/// By node, the earlier nodes that it has to wait for, each once.
std::vector<std::vector<NodeId>> dependencies(const Graph& graph);

}  // namespace torchweld
