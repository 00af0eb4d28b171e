#include "loader/attribute_paths.h"

#include <torch/csrc/jit/ir/ir.h>

namespace torchweld {

namespace jit = torch::jit;

std::optional<std::string> path_of(const jit::Graph& graph, const jit::Node* node) {
  const jit::Value* owner = node->input(0);
  const std::string name = node->s(c10::attr::name);
  if (owner == graph.inputs()[0]) return name;
  if (owner->node()->kind() != c10::prim::GetAttr) return std::nullopt;
  const auto path = path_of(graph, owner->node());
  return path ? std::optional(*path + "." + name) : std::nullopt;
}

std::vector<jit::Node*> accesses(jit::Block* block) {
  std::vector<jit::Node*> found;
  for (jit::Node* node : block->nodes()) {
    for (jit::Block* inner : node->blocks()) {
      const std::vector<jit::Node*> inside = accesses(inner);
      found.insert(found.end(), inside.begin(), inside.end());
    }
    if (node->kind() == c10::prim::GetAttr || node->kind() == c10::prim::SetAttr)
      found.push_back(node);
  }
  return found;
}

}  // namespace torchweld
