// affine_grid_generator as pointwise operators over two constant rows of coordinates.
#pragma once

#include <optional>
#include <vector>

#include "loader/graph.h"

namespace torchweld {

/// Of images, float32 or float64, on the host; nullopt for other nodes. Numerics: two products and
/// two sums, each rounded, where LibTorch has a product of matrices.
std::optional<std::vector<Node>> affine_grid_nodes(Graph* graph, const Node& node);

}  // namespace torchweld
