// einsum of two tensors as one product, or as one pointwise product where nothing is summed.
#pragma once

#include <optional>
#include <vector>

#include "loader/graph.h"

namespace torchweld {

/// The nodes that `node` stands for; nullopt when it isn't an einsum of two operands, each label of
/// which is a dim of a batch, a row, a column or the dim that is summed, or when the device's
/// library, or on the host the kernel by hand, takes none of its forms. An operand whose dims are
/// no matrix in memory is copied first.
std::optional<std::vector<Node>> einsum_nodes(Graph* graph, const Node& node, bool by_library);

}  // namespace torchweld
