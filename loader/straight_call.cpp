#include "loader/straight_call.h"

#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/runtime/interpreter.h>

#include "loader/operator_errors.h"

namespace torchweld {
namespace {

namespace jit = torch::jit;

/// The library prints nothing: our own walk ignores the archive's warnings too.
void drop_warnings(jit::Block* block) {
  for (auto node = block->nodes().begin(); node != block->nodes().end(); ++node) {
    for (jit::Block* inner : node->blocks()) drop_warnings(inner);
    if (node->kind() == c10::aten::warn) node.destroyCurrent();
  }
}

jit::Code code_of(const Module& module) {
  const auto graph = module.code->graph->copy();
  drop_warnings(graph->block());
  return jit::Code(graph, module.method);
}

}  // namespace

StraightCall::StraightCall(const Module& module)
    : module_(module), code_(std::make_unique<const jit::Code>(code_of(module))) {}

StraightCall::~StraightCall() = default;

c10::IValue StraightCall::operator()(std::vector<c10::IValue> arguments) const {
  jit::Stack stack{module_.self};
  stack.insert(stack.end(), std::move_iterator(arguments.begin()),
               std::move_iterator(arguments.end()));
  try {
    jit::InterpreterState(*code_).run(stack);
  } catch (const std::exception& cause) {
    throw interpreter_error(module_.method, cause);
  }
  return stack.empty() ? c10::IValue() : std::move(stack.back());
}

}  // namespace torchweld
