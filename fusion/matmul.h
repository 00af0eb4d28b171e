// Matrix products as calls of the device's own library, with what follows them as their epilogue.
#pragma once

#include <string>

#include "fusion/plan.h"

namespace torchweld {

/// Fills `out` (but its locations) when the node is a product that the library takes: linear, mm,
/// addmm, bmm, baddbmm, matmul, with operands of one floating dtype in any transposition. False,
/// and `why`, otherwise; operands whose strides no leading dimension describes stay with LibTorch,
/// which copies them.
bool make_matmul(const Graph& graph, const Node& node, Matmul* out, std::string* why);

/// Steps that are a relu of a product, and of nothing else, become the product's epilogue.
void attach_epilogues(Plan* plan);

}  // namespace torchweld
