// Attributes as a method of an inlined graph reaches them.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace torch::jit {
struct Block;
struct Graph;
struct Node;
}  // namespace torch::jit

namespace torchweld {

/// The attribute of the method's module that a node gets or sets: "layers.0.weight".
std::optional<std::string> path_of(const torch::jit::Graph& graph, const torch::jit::Node* node);

/// All nodes that get or set an attribute.
std::vector<torch::jit::Node*> accesses(torch::jit::Block* block);

}  // namespace torchweld
