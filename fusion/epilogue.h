// What follows a product of the device's library, or a small one by hand, as part of the same call.
#pragma once

#include <vector>

#include "fusion/passes.h"

namespace torchweld {

/// Makes the node the product's next and last operation, where D = act(alpha A B + beta C + bias)
/// says so: a factor, a summand of the result's shape or a row, relu, gelu in the form with tanh.
/// False, and nothing changed, otherwise.
///
/// Numerics  docs/numerics.md: halves keep their rounding between the product and the node.
bool add_epilogue(const Graph& graph, const Node& node, Matmul* product);

/// Moves nodes that nobody else needs from the groups that follow products to those of the
/// products. Exact numerics leave them where they are.
void attach_epilogues(const Graph& graph, const Target& target, std::vector<Group>* groups);

}  // namespace torchweld
