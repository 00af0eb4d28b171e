// pixel_shuffle and pixel_unshuffle as a copy between two views.
#pragma once

#include <optional>
#include <vector>

#include "loader/graph.h"

namespace torchweld {

/// nullopt for other nodes, and for results that aren't contiguous.
std::optional<std::vector<Node>> pixel_shuffle_nodes(Graph* graph, const Node& node);

}  // namespace torchweld
