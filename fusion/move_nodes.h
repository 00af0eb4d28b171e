// Operators that are others of moves.h in another guise: rot90 is a flip seen transposed, a roll
// without dims is one of the flat tensor. For devices whose code generator takes gathers.
#pragma once

#include <optional>
#include <vector>

#include "loader/graph.h"

namespace torchweld {

/// The nodes that `node` stands for, none for a tensor that has no elements or that is made without
/// values; nullopt when it is none of them.
std::optional<std::vector<Node>> move_nodes(Graph* graph, const Node& node);

}  // namespace torchweld
