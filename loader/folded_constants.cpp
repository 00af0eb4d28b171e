#include "loader/folded_constants.h"

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/inliner.h>

#include <functional>
#include <vector>

namespace torchweld {
namespace {

namespace jit = torch::jit;

const void* memory_of(const at::Tensor& tensor) {
  return tensor.defined() && tensor.has_storage() ? tensor.storage().data() : nullptr;
}

void add_memory(const c10::IValue& value, std::unordered_set<const void*>* memory) {
  value.visit([&](const c10::IValue& part) {
    if (part.isTensor()) memory->insert(memory_of(part.toTensor()));
    return false;
  });
}

void visit_nodes(jit::Block* block, const std::function<void(jit::Node*)>& f) {
  for (jit::Node* node : block->nodes()) {
    f(node);
    for (jit::Block* inner : node->blocks()) visit_nodes(inner, f);
  }
}

}  // namespace

std::unordered_set<const void*> archived_memory(const jit::Module& module,
                                                const std::string& method) {
  std::unordered_set<const void*> memory;
  add_memory(module._ivalue(), &memory);
  const auto graph = module.get_method(method).graph()->copy();
  jit::Inline(*graph);
  visit_nodes(graph->block(), [&](jit::Node* node) {
    if (node->kind() != c10::prim::Constant) return;
    if (const auto value = jit::toIValue(node->output())) add_memory(*value, &memory);
  });
  return memory;
}

void renew_folded_constants(jit::Graph* graph, const std::unordered_set<const void*>& archived) {
  std::vector<jit::Node*> folded;
  visit_nodes(graph->block(), [&](jit::Node* node) {
    if (node->kind() != c10::prim::Constant) return;
    const auto value = jit::toIValue(node->output());
    if (!value || !value->isTensor() || !value->toTensor().defined() ||
        value->toTensor().layout() != at::kStrided)
      return;
    if (!archived.contains(memory_of(value->toTensor()))) folded.push_back(node);
  });
  for (jit::Node* node : folded) {
    jit::Node* const none = graph->create(c10::prim::Constant);
    none->output()->setType(c10::NoneType::get());
    none->insertAfter(node);
    jit::Node* const clone = graph->create(c10::aten::clone, 1);
    clone->setSourceRange(node->sourceRange());
    clone->output()->setType(node->output()->type());
    node->output()->replaceAllUsesWith(clone->output());
    clone->addInput(node->output());
    clone->addInput(none->output());
    clone->insertAfter(none);
  }
}

}  // namespace torchweld
