// Losses, distances and differences as pointwise operators and reductions, which then are one
// kernel with their neighbours.
#pragma once

#include <optional>
#include <vector>

#include "loader/graph.h"

namespace torchweld {

/// The nodes that `node` stands for; nullopt when it is none of them, or in a form that stays with
/// LibTorch: of other types than f32 or f64 alone, without elements, or, as binary_cross_entropy,
/// with checks of what its elements are.
///
/// Numerics  ATen's formulas in their order.
std::optional<std::vector<Node>> composite_nodes(Graph* graph, const Node& node);

}  // namespace torchweld
