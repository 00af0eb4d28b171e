// Matrix products as calls of the device's own library.
#pragma once

#include <string>
#include <vector>

#include "fusion/plan.h"

namespace torchweld {

/// Fills `out` (but its locations) when the node is a product that the library takes: linear, mm,
/// addmm, bmm, baddbmm, matmul, with operands of one floating dtype in any transposition. False,
/// and `why`, otherwise; operands whose strides no leading dimension describes stay with LibTorch,
/// which copies them.
bool make_matmul(const Graph& graph, const Node& node, Matmul* out, std::string* why);

/// The same of a product and the nodes that are its epilogue (epilogue.h), in their order.
bool make_product(const Graph& graph, const std::vector<NodeId>& nodes, Matmul* out,
                  std::string* why);

}  // namespace torchweld
