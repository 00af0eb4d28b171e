#include "loader/open_numbers.h"

#include <ATen/ops/empty.h>
#include <torch/csrc/jit/ir/ir.h>

#include <algorithm>

namespace torchweld {
namespace {

using Kind = CodeNode::Kind;

/// A list that one operator makes a tensor of at once: nobody can write it in between.
bool becomes_a_tensor(const CodeNode& node) {
  const torch::jit::Value* const list = node.node->outputs()[0];
  return list->uses().size() == 1 && list->uses()[0].user->kind() == c10::aten::tensor;
}

}  // namespace

void OpenNumbers::open(int position, const c10::IValue& value) {
  program_->add_open(position);
  positions_.push_back(position);
  now_.push_back(value);
  pinned_.push_back(0);
}

Openness OpenNumbers::of(int reg) const {
  const auto it = registers_.find(reg);
  return it == registers_.end() ? Openness{} : it->second;
}

std::vector<Openness> OpenNumbers::of(const std::vector<int>& regs) const {
  std::vector<Openness> all;
  for (const int reg : regs) all.push_back(of(reg));
  return all;
}

void OpenNumbers::mark(int reg, Openness openness) {
  if (openness.any()) {
    registers_[reg] = std::move(openness);
  } else {
    registers_.erase(reg);
  }
}

void OpenNumbers::mark(const std::vector<int>& regs, const std::vector<Openness>& openness) {
  for (size_t i = 0; i < regs.size() && i < openness.size(); ++i) mark(regs[i], openness[i]);
}

Openness OpenNumbers::of_slot(int slot) const {
  const auto it = slots_.find(slot);
  return it == slots_.end() ? Openness{} : it->second;
}

void OpenNumbers::guard(int number) {
  char& pinned = pinned_[static_cast<size_t>(number)];
  if (pinned == 0) program_->add_guard(number, now(number));
  pinned = 1;
}

void OpenNumbers::pin(const Openness& openness) {
  if (openness.number >= 0) guard(openness.number);
  for (const Openness& element : openness.elements) pin(element);
}

std::vector<Openness> OpenNumbers::moved(const CodeNode& node) {
  const std::vector<Openness> inputs = of(node.inputs);
  const bool any =
      std::any_of(inputs.begin(), inputs.end(), [](const Openness& o) { return o.any(); });
  std::vector<Openness> outputs(node.outputs.size());
  if (!any) {
    return outputs;
  } else if (node.kind == Kind::kTuple || (node.kind == Kind::kList && becomes_a_tensor(node))) {
    outputs[0].elements = inputs;
  } else if (node.kind == Kind::kTupleUnpack) {
    outputs = inputs[0].elements;
  } else if (node.kind == Kind::kCast) {
    outputs[0] = inputs[0];
  } else {
    for (const Openness& input : inputs) pin(input);
  }
  return outputs;
}

bool OpenNumbers::compute(const CodeNode& node, const std::vector<Openness>& operands,
                          const torch::jit::Stack& arguments, const torch::jit::Stack& results) {
  if (node.vararg || results.size() != node.outputs.size() || results.empty() ||
      arguments.size() != operands.size() ||
      !std::all_of(arguments.begin(), arguments.end(), is_number) ||
      !std::all_of(results.begin(), results.end(), is_number))
    return false;
  std::vector<NumberProgram::Operand> taken;
  for (size_t i = 0; i < operands.size(); ++i) taken.push_back({operands[i].number, arguments[i]});
  program_->add_step(node.operation, std::move(taken), static_cast<int>(results.size()));
  for (const c10::IValue& result : results) {
    results_.push_back({.number = static_cast<int>(now_.size()), .elements = {}});
    now_.push_back(result);
    pinned_.push_back(0);
  }
  return true;
}

void OpenNumbers::mark_results(const CodeNode& node) {
  mark(node.outputs, results_);
  results_.clear();
}

int OpenNumbers::combine(NumberProgram::Operation operation, const Openness& a,
                         const c10::IValue& a_now, const Openness& b, const c10::IValue& b_now) {
  torch::jit::Stack stack{a_now, b_now};
  operation(stack);
  program_->add_step(std::move(operation), {{a.number, a_now}, {b.number, b_now}}, 1);
  now_.push_back(std::move(stack.back()));
  pinned_.push_back(0);
  return static_cast<int>(now_.size()) - 1;
}

at::Tensor OpenNumbers::tensor_of(int number, c10::ScalarType type) {
  at::Tensor tensor = at::empty({}, type);
  if (!write_number(now(number), tensor)) return {};
  program_->add_input(number, type);
  return tensor;
}

}  // namespace torchweld
