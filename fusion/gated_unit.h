// glu as what it is made of.
#pragma once

#include <optional>
#include <vector>

#include "loader/graph.h"

namespace torchweld {

/// One half times the sigmoid of the other, both read as views; nullopt for other nodes and for
/// halves, which ATen rounds once.
std::optional<std::vector<Node>> gated_unit_nodes(Graph* graph, const Node& node);

}  // namespace torchweld
