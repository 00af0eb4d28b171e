// Reads and writes at places that tensors name, on the host: one hand-written kernel, which checks
// every index first, as LibTorch does. On a device they are members of generated kernels
// (indexed.h, scatter.h).
#pragma once

#include <string>

#include "fusion/plan.h"

namespace torchweld {

/// Fills `call` (but its locations) when the node is a gather, a scatter in place or a one_hot that
/// the kernel takes.
bool make_by_index(const Graph& graph, const Node& node, ByIndexCall* call);

/// "gather_6x8B": how many stretches of memory, and their bytes.
std::string name_of_step(const ByIndexCall& call);

}  // namespace torchweld
