#include "loader/byte_weights.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/alias_analysis.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/inliner.h>

#include <algorithm>
#include <set>

#include "loader/attribute_paths.h"

namespace torchweld {
namespace {

namespace jit = torch::jit;

constexpr int64_t kFewestElements = int64_t{1} << 16;

}  // namespace

std::vector<std::string> byte_weights(const jit::Module& module) {
  std::vector<std::string> names;
  for (const auto& attribute : module.named_attributes()) {
    if (!attribute.value.isTensor()) continue;
    const at::Tensor& t = attribute.value.toTensor();
    const bool bytes = t.defined() && t.layout() == at::kStrided &&
                       (t.scalar_type() == at::kChar || t.scalar_type() == at::kByte);
    if (bytes && t.numel() >= kFewestElements) names.push_back(attribute.name);
  }
  return names;
}

bool reads_only(const jit::Module& module, const std::string& method,
                const std::vector<std::string>& names) {
  const auto graph = module.get_method(method).graph()->copy();
  jit::Inline(*graph);
  const std::set<std::string> weights(names.begin(), names.end());
  const jit::AliasDb aliases(graph, /*isFrozen=*/true);
  for (const jit::Node* node : accesses(graph->block())) {
    const auto path = path_of(*graph, node);
    if (!path || !weights.contains(*path)) continue;
    if (node->kind() == c10::prim::SetAttr || aliases.hasWriters(node->output())) return false;
  }
  return true;
}

void make_byte_weights_constant(jit::Graph* graph, const jit::Module& module,
                                const std::vector<std::string>& names) {
  for (jit::Node* node : accesses(graph->block())) {
    const auto path = path_of(*graph, node);
    if (!path || std::find(names.begin(), names.end(), *path) == names.end()) continue;
    for (const auto& attribute : module.named_attributes()) {
      if (attribute.name != *path) continue;
      const jit::WithInsertPoint guard(node);
      node->output()->replaceAllUsesWith(graph->insertConstant(attribute.value));
    }
  }
}

bool widens_byte_weights(const Graph& graph, const Node& node) {
  int64_t read_bytes = 0, made_bytes = 0;
  std::set<StorageId> read;
  for_each_input(node, [&](ValueId id) {
    const Value& v = graph.value(id);
    const bool bytes = v.dtype == DType::kI8 || v.dtype == DType::kU8;
    if (bytes && v.elements() >= kFewestElements) read_bytes += v.elements();
    read.insert(v.storage);
  });
  for (const ValueId id : node.outputs) {
    if (id == kNone || read.contains(graph.value(id).storage)) continue;  // a view
    made_bytes += graph.value(id).elements() * size_of(graph.value(id).dtype);
  }
  return read_bytes > 0 && made_bytes >= read_bytes;
}

}  // namespace torchweld
