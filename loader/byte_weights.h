// Large weights that are stored as int8 or uint8 to be small. LibTorch's freezing and our recording
// would keep what is computed of them, which is wider; they keep the bytes, to be widened in each
// call.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "loader/graph.h"

namespace torch::jit {
struct Graph;
struct Module;
}  // namespace torch::jit

namespace torchweld {

/// Names of the attributes that are such weights, with their modules': "layers.0.weight".
std::vector<std::string> byte_weights(const torch::jit::Module& module);

/// Whether a method of a frozen module, which kept them as attributes, writes none of them.
bool reads_only(const torch::jit::Module& module, const std::string& method,
                const std::vector<std::string>& names);

/// Lets the graph of a method of `module` read them as constants, once all others are folded.
void make_byte_weights_constant(torch::jit::Graph* graph, const torch::jit::Module& module,
                                const std::vector<std::string>& names);

/// Whether a node makes as much memory as it reads of such weights, or more.
bool widens_byte_weights(const Graph& graph, const Node& node);

}  // namespace torchweld
