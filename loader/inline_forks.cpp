#include "loader/inline_forks.h"

#include <ATen/core/jit_type.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/inline_fork_wait.h>

#include <vector>

namespace torchweld {
namespace {

namespace jit = torch::jit;

c10::TypePtr without_futures(const c10::TypePtr& type) {
  if (const auto future = type->cast<c10::FutureType>())
    return without_futures(future->getElementType());
  if (type->cast<c10::ClassType>() || type->containedTypes().empty()) return type;
  std::vector<c10::TypePtr> contained;
  bool changed = false;
  for (const c10::TypePtr& inner : type->containedTypes()) {
    contained.push_back(without_futures(inner));
    changed |= contained.back() != inner;
  }
  return changed ? type->withContained(std::move(contained)) : type;
}

void drop_futures(jit::Block* block, const jit::Block* outermost) {
  if (block != outermost) {
    for (jit::Value* input : block->inputs()) input->setType(without_futures(input->type()));
  }
  for (auto it = block->nodes().begin(); it != block->nodes().end();) {
    jit::Node* node = *it++;
    for (jit::Block* inner : node->blocks()) drop_futures(inner, outermost);
    for (jit::Value* output : node->outputs()) output->setType(without_futures(output->type()));
    if (node->kind() != c10::aten::wait ||
        node->input(0)->type()->kind() == c10::TypeKind::FutureType)
      continue;
    node->output()->replaceAllUsesWith(node->input(0));
    node->destroy();
  }
}

}  // namespace

void inline_forks(const std::shared_ptr<jit::Graph>& graph) {
  jit::InlineForkWait(graph);
  drop_futures(graph->block(), graph->block());
}

}  // namespace torchweld
