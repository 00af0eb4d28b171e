// Products of two matrices, neither of them constant, on the host.
#pragma once

#include <string>

#include "fusion/plan.h"
#include "loader/graph.h"

namespace torchweld {

/// matmul, bmm, mm, and linear without a bias, of float32 tensors that are laid out as matrices.
/// False for others, and for those that a library's blocking is there for.
bool make_batched_product(const Graph& graph, const Node& node, BatchedProductCall* out);

/// "product_8x12x64x12": matrices, then m, k and n of each.
std::string name_of_step(const BatchedProductCall& call);

}  // namespace torchweld
