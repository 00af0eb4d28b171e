#include "loader/number_constants.h"

#include <ATen/core/Tensor.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

namespace torchweld {
namespace {

namespace jit = torch::jit;

bool takes_number(const jit::Node* node) {
  return node->matches("aten::add(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor") ||
         node->matches("aten::sub(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor") ||
         node->matches("aten::mul(Tensor self, Tensor other) -> Tensor") ||
         node->matches("aten::div(Tensor self, Tensor other) -> Tensor");
}

void restore_numbers(jit::Block* block) {
  for (jit::Node* node : block->nodes()) {
    for (jit::Block* inner : node->blocks()) restore_numbers(inner);
    if (!takes_number(node)) continue;
    const auto other = jit::toIValue(node->input(1));
    if (!other || !other->isTensor() || !other->toTensor().defined()) continue;
    // No overload takes a bool, which widens nothing as a tensor either.
    const at::Tensor& tensor = other->toTensor();
    if (tensor.dim() != 0 || tensor.scalar_type() == at::kBool) continue;
    // With the other input, the node's own schema is the overload that takes a number.
    const jit::WithInsertPoint guard(node);
    node->replaceInput(1, node->owningGraph()->insertConstant(tensor.item()));
  }
}

}  // namespace

void restore_numbers(const jit::Module& module) {
  for (torch::jit::Function* function : module._ivalue()->compilation_unit()->get_functions()) {
    function->ensure_defined();
    if (jit::GraphFunction* with_graph = jit::tryToGraphFunction(*function))
      restore_numbers(with_graph->graph()->block());
  }
}

}  // namespace torchweld
