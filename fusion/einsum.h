// einsum as matrix products, pointwise products and sums.
#pragma once

#include <optional>
#include <vector>

#include "loader/graph.h"

namespace torchweld {

/// The nodes that `node` stands for: its operands one after the other by products, by pointwise
/// products where nothing is summed, and sums of what one operand alone has. nullopt when it is
/// no einsum of floats, is a view, or when the device's library, or on the host the kernel by hand,
/// takes a product in none of its forms. An operand whose dims are no matrix in memory is copied
/// first.
std::optional<std::vector<Node>> einsum_nodes(Graph* graph, const Node& node, bool by_library);

}  // namespace torchweld
