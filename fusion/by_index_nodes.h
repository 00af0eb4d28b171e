// Scatters as those that the host's kernel takes (by_index.h), and what stands around them.
#pragma once

#include <optional>
#include <vector>

#include "loader/graph.h"

namespace torchweld {

/// A copy of what a functional scatter writes to, a source times its factor, halves as float32, a
/// mean as a sum and a count, and where the target's own value doesn't count, a write before.
/// nullopt for other nodes and for what is taken as it is.
std::optional<std::vector<Node>> by_index_nodes(Graph* graph, const Node& node);

}  // namespace torchweld
