// The walk. Control flow and attributes are here; values that are only moved around: prim_ops.cpp.
#include "loader/machine.h"

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/jit/ir/ir.h>

#include <algorithm>
#include <limits>
#include <set>

#include "loader/open_numbers.h"
#include "loader/operator_errors.h"
#include "loader/pattern.h"
#include "loader/prim_ops.h"
#include "loader/recorder.h"
#include "torchweld/error.h"

namespace torchweld {

using Kind = CodeNode::Kind;

Machine::Machine(const Code& code, const StateSlots& slots, std::vector<c10::IValue>* state)
    : code_(code),
      slots_(slots),
      state_(state),
      registers_(static_cast<size_t>(code.registers)),
      from_data_(static_cast<size_t>(code.registers)),
      defined_(static_cast<size_t>(code.registers)) {}

void Machine::start(const std::vector<c10::IValue>& arguments) {
  const CodeBlock& root = code_.root();
  for (size_t i = 0; i < root.params.size(); ++i) set(root.params[i], arguments[i], false);
  frames_ = {Frame{.block = &root}};
}

void Machine::resume(const Place& place, const std::vector<c10::IValue>& environment) {
  size_t at = 0;
  for (const int index : place.live) set(index, environment[at++], false);
  for (const int index : place.data_hosts) from_data_[static_cast<size_t>(index)] = 1;
  frames_.clear();
  for (const Place::Level& level : place.levels) {
    Frame frame{.block = code_.blocks[static_cast<size_t>(level.block)].get(),
                .next = level.next,
                .join = level.join,
                .counted = level.counted,
                .trip = 0,
                .max_trips = std::numeric_limits<int64_t>::max()};
    if (level.counted) {
      frame.trip = environment[at++].toInt();
      frame.max_trips = environment[at++].toInt();
    }
    frames_.push_back(frame);
  }
}

Place Machine::place() const {
  Place place;
  std::set<int> live;
  const auto read = [&](const std::vector<int>& registers) {
    for (const int r : registers) {
      if (r >= 0) live.insert(r);
    }
  };
  for (const Frame& frame : frames_) {
    place.levels.push_back({frame.block->index, frame.next, frame.join, frame.counted});
    for (size_t i = static_cast<size_t>(frame.next); i < frame.block->nodes.size(); ++i) {
      read(frame.block->nodes[i]->inputs);
      for (const CodeBlock* inner : frame.block->nodes[i]->blocks) read(inner->reads);
    }
    read(frame.block->returns);
    if (frame.block->owner != nullptr && frame.block->owner->kind == Kind::kLoop)
      read(frame.block->reads);
  }
  for (const int r : live) {
    if (defined_[static_cast<size_t>(r)] == 0) continue;
    place.live.push_back(r);
    if (from_data_[static_cast<size_t>(r)] != 0) place.data_hosts.push_back(r);
  }
  return place;
}

std::vector<c10::IValue> Machine::environment(const Place& place) const {
  std::vector<c10::IValue> values;
  for (const int index : place.live) values.push_back(get(index));
  for (const Frame& frame : frames_) {
    if (!frame.counted) continue;
    values.emplace_back(frame.trip);
    values.emplace_back(frame.max_trips);
  }
  return values;
}

std::vector<c10::IValue> Machine::results() const {
  std::vector<c10::IValue> values;
  for (const int index : code_.root().returns) values.push_back(get(index));
  return values;
}

void Machine::set(int index, c10::IValue value, bool from_data) {
  registers_[static_cast<size_t>(index)] = std::move(value);
  from_data_[static_cast<size_t>(index)] = from_data ? 1 : 0;
  defined_[static_cast<size_t>(index)] = 1;
  if (numbers_ != nullptr) numbers_->mark(index, {});
}

void Machine::open_numbers(OpenNumbers* numbers, const Place* place) const {
  const std::vector<int>& params = code_.root().params;
  const size_t counted =
      place == nullptr
          ? 0
          : static_cast<size_t>(std::count_if(place->levels.begin(), place->levels.end(),
                                              [](const Place::Level& l) { return l.counted; }));
  const std::vector<int> front =
      place == nullptr ? std::vector<int>(params.begin() + 1, params.end()) : place->live;
  for (size_t i = 0; i < numbers->positions().size(); ++i) {
    const auto at = static_cast<size_t>(numbers->positions()[i]);
    const Openness number{.number = static_cast<int>(i), .elements = {}};
    if (at < front.size()) {
      numbers->mark(front[at], number);
    } else if (at < front.size() + 2 * counted) {
      numbers->pin(number);  // a loop's trips
    } else {
      numbers->mark_slot(static_cast<int>(at - front.size() - 2 * counted), number);
    }
  }
}

bool Machine::from_data(const CodeNode& node) const {
  return std::any_of(node.inputs.begin(), node.inputs.end(),
                     [&](int r) { return r >= 0 && from_data_[static_cast<size_t>(r)] != 0; });
}

Machine::Stop Machine::run(Recorder* recorder) {
  numbers_ = recorder == nullptr ? nullptr : recorder->numbers();
  const Stop stop = walk(recorder);
  if (numbers_ != nullptr && stop == Stop::kReturned) numbers_->return_from(code_.root().returns);
  numbers_ = nullptr;
  return stop;
}

Machine::Stop Machine::walk(Recorder* recorder) {
  while (true) {
    Frame& frame = frames_.back();
    Next next = Next::kGoOn;
    if (frame.next < static_cast<int>(frame.block->nodes.size())) {
      const CodeNode& node = *frame.block->nodes[static_cast<size_t>(frame.next++)];
      next = step(node, recorder);
      for (const int r : node.frees) registers_[static_cast<size_t>(r)] = c10::IValue();
    } else {
      if (frames_.size() == 1) return Stop::kReturned;
      next = leave_block(recorder);
    }
    if (recorder != nullptr && recorder->abandoned()) recorder = nullptr;
    if (recorder != nullptr && next == Next::kBlockEnded) return Stop::kBlockEnded;
  }
}

Machine::Next Machine::step(const CodeNode& node, Recorder* recorder) {
  last_ = &node;
  switch (node.kind) {
    case Kind::kOperator:
      return run_operator(node, recorder);
    case Kind::kIf:
      enter_if(node, recorder);
      return Next::kGoOn;
    case Kind::kLoop:
      enter_loop(node);
      return Next::kGoOn;
    case Kind::kGetAttr:
      get_attribute(node);
      return Next::kGoOn;
    case Kind::kSetAttr:
      set_attribute(node);
      return Next::kGoOn;
    case Kind::kRaise: {
      const c10::IValue& message = get(node.inputs[0]);
      throw Error(ErrorCode::kModelRaised,
                  fmt::format("the archive raised an exception at {}: {}", node.source,
                              message.isString() ? message.toStringRef() : "(no message)"));
    }
    case Kind::kWarn:
    case Kind::kNothing:
      return Next::kGoOn;
    default:
      break;
  }
  std::vector<Openness> moved;
  if (numbers_ != nullptr) moved = numbers_->moved(node);
  std::vector<c10::IValue> inputs;
  for (const int r : node.inputs) inputs.push_back(get(r));
  std::vector<c10::IValue> outputs = run_prim(node, std::move(inputs));
  for (size_t i = 0; i < node.outputs.size(); ++i)
    set(node.outputs[i], std::move(outputs[i]), from_data(node));
  if (numbers_ != nullptr) numbers_->mark(node.outputs, moved);
  return Next::kGoOn;
}

Machine::Next Machine::run_operator(const CodeNode& node, Recorder* recorder) {
  if (recorder != nullptr && node.select_if != nullptr && node.select_if->may_select &&
      recorder->depends_on_inputs(get(node.inputs[0]))) {
    set(node.outputs[0], get(node.inputs[0]),
        false);  // the tensor itself: the If that reads it becomes a select
    return Next::kGoOn;
  }
  stack_.clear();
  for (const int r : node.inputs) stack_.push_back(get(r));
  if (node.vararg) stack_.emplace_back(static_cast<int64_t>(node.inputs.size()));
  if (recorder != nullptr) recorder->before(node, stack_);
  const auto operands = [&] {
    std::vector<c10::IValue> inputs;
    for (const int r : node.inputs) inputs.push_back(get(r));
    return inputs;
  };
  run_reporting(node.name, node.source, operands, [&] { node.operation(stack_); });
  const bool ends = recorder != nullptr && recorder->after(node, stack_);
  const bool data = from_data(node) || (ends && node.traits.reads_data);
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    c10::IValue& value = stack_[stack_.size() - node.outputs.size() + i];
    const bool host = !value.isTensor();
    set(node.outputs[i], std::move(value), host && data);
  }
  if (numbers_ != nullptr) numbers_->mark_results(node);
  return ends ? Next::kBlockEnded : Next::kGoOn;
}

void Machine::enter_if(const CodeNode& node, Recorder* recorder) {
  const c10::IValue& condition = get(node.inputs[0]);
  if (numbers_ != nullptr) numbers_->pin(node.inputs[0]);
  bool taken = false, join = from_data(node);
  if (condition.isTensor()) {
    if (recorder != nullptr && try_select(node, recorder)) return;
    taken = condition.toTensor().item().toBool();
  } else {
    taken = condition.toBool();
  }
  frames_.push_back(Frame{.block = node.blocks[taken ? 0 : 1], .join = join});
}

/// Runs both branches and selects between their results; false, with the recording given up, when
/// they differ in shape.
bool Machine::try_select(const CodeNode& node, Recorder* recorder) {
  const at::Tensor condition = get(node.inputs[0]).toTensor();
  std::vector<c10::IValue> results;
  try {
    run_branch(*node.blocks[0], recorder);
    run_branch(*node.blocks[1], recorder);
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const auto selected = recorder->select(condition, get(node.blocks[0]->returns[i]),
                                             get(node.blocks[1]->returns[i]), node);
      if (!selected) break;
      results.push_back(*selected);
    }
  } catch (const Error&) {  // the branch that LibTorch would not run may fail: then it has to be a
                            // branch
    results.clear();
  }
  if (results.size() != node.outputs.size() || node.outputs.empty()) {
    node.may_select = false;
    recorder->abandon("the branches of an If differ in shape; the next call records it as a branch",
                      true);
    return false;
  }
  for (size_t i = 0; i < results.size(); ++i) set(node.outputs[i], std::move(results[i]), false);
  return true;
}

void Machine::run_branch(const CodeBlock& block, Recorder* recorder) {
  for (const auto& node : block.nodes) run_operator(*node, recorder);
}

void Machine::enter_loop(const CodeNode& node) {
  if (numbers_ != nullptr) numbers_->pin(node.inputs[0]);
  if (numbers_ != nullptr) numbers_->pin(node.inputs[1]);
  const int64_t max_trips = get(node.inputs[0]).toInt();
  const bool go = get(node.inputs[1]).toBool() && max_trips > 0;
  const CodeBlock& body = *node.blocks[0];
  const std::vector<int>& targets = go ? body.params : node.outputs;
  const size_t skip = go ? 1 : 0;
  std::vector<c10::IValue> carried;
  for (size_t i = 2; i < node.inputs.size(); ++i) carried.push_back(get(node.inputs[i]));
  const auto open = openness_of(node.inputs, 2);
  for (size_t i = 0; i < carried.size(); ++i) set(targets[i + skip], std::move(carried[i]), false);
  for (size_t i = 0; i < open.size(); ++i) numbers_->mark(targets[i + skip], open[i]);
  if (!go) return;
  set(body.params[0], int64_t{0}, false);
  const bool uses_trip = !node.node->blocks()[0]->inputs()[0]->uses().empty();
  const bool counted = uses_trip || max_trips != std::numeric_limits<int64_t>::max();
  frames_.push_back(Frame{.block = &body,
                          .next = 0,
                          .join = false,
                          .counted = counted,
                          .trip = 0,
                          .max_trips = max_trips});
}

std::vector<Openness> Machine::openness_of(const std::vector<int>& regs, size_t from) const {
  if (numbers_ == nullptr) return {};
  return numbers_->of({regs.begin() + static_cast<std::ptrdiff_t>(from), regs.end()});
}

Machine::Next Machine::leave_block(Recorder* recorder) {
  Frame& frame = frames_.back();
  const CodeNode& owner = *frame.block->owner;
  if (owner.kind == Kind::kLoop) {
    const Next next = leave_loop(frame);
    const bool too_long = recorder != nullptr && recorder->is_too_long();
    if (too_long) recorder->end_by_length();
    return too_long ? Next::kBlockEnded : next;
  }
  std::vector<c10::IValue> values;
  for (const int r : frame.block->returns) values.push_back(get(r));
  const bool join = frame.join;
  const std::vector<int>& returns = frame.block->returns;
  const auto open = openness_of(returns, 0);
  for (size_t i = 0; i < values.size(); ++i) {
    const int r = frame.block->returns[i];
    const bool data =
        (join && !values[i].isTensor()) || (r >= 0 && from_data_[static_cast<size_t>(r)] != 0);
    set(owner.outputs[i], std::move(values[i]), data);
  }
  for (size_t i = 0; i < open.size(); ++i) numbers_->mark(owner.outputs[i], open[i]);
  frames_.pop_back();
  if (join && recorder != nullptr) recorder->end_by_join(owner);
  return join ? Next::kBlockEnded : Next::kGoOn;
}

Machine::Next Machine::leave_loop(Frame& frame) {
  const CodeNode& owner = *frame.block->owner;
  const std::vector<int>& returns = frame.block->returns;
  ++frame.trip;
  if (numbers_ != nullptr) numbers_->pin(returns[0]);
  const bool go = get(returns[0]).toBool() && frame.trip < frame.max_trips;
  const bool data = returns[0] >= 0 && from_data_[static_cast<size_t>(returns[0])] != 0;
  std::vector<c10::IValue> carried;
  for (size_t i = 1; i < returns.size(); ++i) carried.push_back(get(returns[i]));
  const auto open = openness_of(returns, 1);
  const std::vector<int>& targets = go ? frame.block->params : owner.outputs;
  for (size_t i = 0; i < carried.size(); ++i) {
    const bool host = !carried[i].isTensor();
    set(targets[i + (go ? 1 : 0)], std::move(carried[i]), data && host);
  }
  for (size_t i = 0; i < open.size(); ++i) numbers_->mark(targets[i + (go ? 1 : 0)], open[i]);
  if (go) {
    set(frame.block->params[0], frame.trip, false);
    frame.next = 0;
  } else {
    frames_.pop_back();
  }
  return Next::kGoOn;
}

void Machine::get_attribute(const CodeNode& node) {
  const auto object = get(node.inputs[0]).toObject();
  const auto slot = slots_.find({object.get(), node.attribute});
  set(node.outputs[0],
      slot == slots_.end() ? object->getAttr(node.attribute)
                           : (*state_)[static_cast<size_t>(slot->second)],
      false);
  if (numbers_ != nullptr && slot != slots_.end())
    numbers_->mark(node.outputs[0], numbers_->of_slot(slot->second));
}

void Machine::set_attribute(const CodeNode& node) {
  const auto object = get(node.inputs[0]).toObject();
  const auto slot = slots_.find({object.get(), node.attribute});
  if (slot == slots_.end()) {
    object->setAttr(node.attribute, get(node.inputs[1]));
    if (numbers_ != nullptr) numbers_->pin(node.inputs[1]);
  } else {
    if (numbers_ != nullptr) numbers_->mark_slot(slot->second, numbers_->of(node.inputs[1]));
    (*state_)[static_cast<size_t>(slot->second)] = get(node.inputs[1]);
  }
}

}  // namespace torchweld
