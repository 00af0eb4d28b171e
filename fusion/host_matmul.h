// Which matmuls are the hand-written kernel's: those of constant weights.
#pragma once

#include <optional>
#include <vector>

#include "fusion/plan.h"
#include "fusion/planner.h"

namespace torchweld {

/// Fills `out` (but its locations) when the first of `nodes` is such a matmul and the others, each
/// the only reader of the one before, are what its kernel does afterwards: a summand of the
/// result's shape, then a range. Only float32.
bool make_host_matmul(const Graph& graph, const std::vector<NodeId>& nodes, const Target& target,
                      HostMatmul* out);

/// A product of the kernel's, or of the device's library, but that its rows don't lie in memory as
/// such, as a copy and a product of that; nullopt for other nodes.
std::optional<std::vector<Node>> product_of_copied_rows(Graph* graph, const Node& node,
                                                        bool by_library);

/// mv, dot, or matmul with a vector, as a product of matrices of one row or column that a kernel of
/// the host takes; nullopt for other nodes.
std::optional<std::vector<Node>> product_of_vectors(Graph* graph, const Node& node);

/// Makes the node the product's next and last operation. False, and nothing changed, where its
/// kernel has no such operation.
bool add_epilogue(const Graph& graph, const Node& node, HostMatmul* product);

}  // namespace torchweld
