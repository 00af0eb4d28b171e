// The way of a call: plans where there are any, else the interpreter with a recorder beside it.
#include "engine/engine_state.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "engine/call_inputs.h"
#include "engine/context.h"
#include "engine/nvtx.h"
#include "loader/operator_errors.h"

namespace torchweld {
namespace {

/// Gives a context back to its plan, whatever happens to the call.
class ContextLease {
 public:
  explicit ContextLease(const BoundPlan& plan) : plan_(plan), context_(plan.acquire()) {}
  ~ContextLease() {
    context_->clear();
    plan_.release(std::move(context_));
  }
  ContextLease(const ContextLease&) = delete;
  ContextLease& operator=(const ContextLease&) = delete;
  Context* operator->() { return context_.get(); }
  Context& operator*() { return *context_; }

 private:
  const BoundPlan& plan_;
  std::unique_ptr<Context> context_;
};

/// Host values for the results: those that a read gave, then numbers of the signature's.
const std::vector<c10::IValue>& holes_of(const Recording& recording, const Context& context) {
  const NumberProgram* const numbers = recording.inputs.numbers();
  if (numbers == nullptr || !numbers->has_leaving()) return context.read();
  thread_local std::vector<c10::IValue> holes;
  holes = context.read();
  numbers->take_leaving(&holes);
  return holes;
}

}  // namespace

/// One call on its way.
struct EngineState::Walk {
  Unit* unit = nullptr;
  std::vector<c10::IValue> values;  // arguments or environment, then the state
  size_t arguments = 0;             // how many of them the caller owns
  CallState* state = nullptr;
  Planning planning = Planning::kBackground;
  CallTrace* trace = nullptr;
  bool done = false, settled = true;  // settled: plans answered it
  int blocks = 1;
  c10::IValue result;

  void go_on(Unit* next, std::vector<c10::IValue> environment) {
    ++blocks;
    unit = next;
    values = std::move(environment);
    arguments = 0;
    values.insert(values.end(), state->slots.begin(), state->slots.end());
  }
};

EngineState::EngineState(std::shared_ptr<const Module> module, Options options)
    : module_(std::move(module)),
      options_(std::move(options)),
      runtime_(options_.runtime ? options_.runtime : runtime_for(options_.device)),
      root_(std::nullopt, names_of_values(*module_, true)) {
  for (const c10::Argument& a : module_->schema.arguments()) {
    arguments_.push_back({a.name(), a.type()->annotation_str(), a.default_value()});
  }
  if (options_.numerics == Numerics::kExact && options_.precision != Precision::kArchive)
    throw Error(ErrorCode::kBadInput,
                "exact numerics round as LibTorch's eager mode does, so they leave products in the "
                "archive's precision; ask for one of the two");
  if (const std::string why = why_no_precision(*runtime_, options_.precision); !why.empty())
    log(LogLevel::kWarning, fmt::format("{}: {}", module_->name, why));
  if (options_.measure_plans && runtime_->can_be_timed()) gate_.emplace(runtime_, &setup_results_);
  own_session_ = fresh_state();
  if (!module_->why_whole.empty()) {
    log(LogLevel::kWarning, fmt::format("{}: LibTorch's interpreter runs the method whole: {}",
                                        module_->name, module_->why_whole));
  }
}

EngineState::~EngineState() = default;

void EngineState::log(LogLevel level, const std::string& message) const {
  if (options_.log) options_.log(level, message);
}

CallState EngineState::fresh_state() const {
  CallState state;
  if (!module_->why_whole.empty()) {
    state.whole_self = module_->self.deepcopy();
    return state;
  }
  for (const c10::IValue& v : module_->initial_state) state.slots.push_back(deep_copy(v));
  return state;
}

std::vector<c10::IValue> EngineState::copy_of(const std::vector<c10::IValue>& inputs) const {
  std::vector<c10::IValue> copies;
  for (const c10::IValue& v : inputs) copies.push_back(deep_copy(v));
  return copies;
}

std::vector<c10::IValue> EngineState::copy_for_gate(const std::vector<c10::IValue>& values) const {
  if (!gate_) return {};
  try {
    return copy_of(values);
  } catch (const std::exception& cause) {  // no memory, or an object that can't be copied
    log(LogLevel::kDebug, fmt::format("{}: not measured: {}", module_->name, cause.what()));
    return {};
  }
}

c10::IValue EngineState::call_whole(std::vector<c10::IValue> inputs, CallState* state) {
  interpreted_.fetch_add(1, std::memory_order_relaxed);
  check_inputs(*module_, options_.device, &inputs);
  const c10::IValue self = state->whole_self.isNone() ? module_->self : state->whole_self;
  try {
    return module_->run_whole(self, std::move(inputs));
  } catch (const std::exception& cause) {
    throw interpreter_error(module_->method, cause);
  }
}

c10::IValue EngineState::call(std::vector<c10::IValue> inputs, CallState* state, Planning planning,
                              CallTrace* trace) {
  try {
    return walk(std::move(inputs), state, planning, trace);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& cause) {  // memory for results, a view that can't be made
    throw operator_error(module_->method, module_->name, {}, cause);
  }
}

/// The way of most calls of small models, where every instruction counts: one block with a plan
/// that is all our own code. False, and nothing done, where the call is anything else.
bool EngineState::answer_at_once(const std::vector<c10::IValue>& inputs, c10::IValue* result) {
  thread_local std::vector<const at::Tensor*> leaves;
  const UnitPlan* const plan = root_.find(inputs, &leaves);
  if (plan == nullptr || plan->next != nullptr || !plan->plan->is_own_code()) return false;
  const auto needs_gradient = [](const at::Tensor* t) { return t->requires_grad(); };
  if (std::any_of(leaves.begin(), leaves.end(), needs_gradient) && c10::GradMode::is_enabled())
    return false;
  ContextLease context(*plan->plan);
  context->run(leaves);
  planned_.fetch_add(1, std::memory_order_relaxed);
  const Recording& recording = plan->plan->recording();
  const Pattern& form = recording.outputs;
  if (form.is_one_tensor()) {
    if (at::Tensor only = context->take_only_output(); only.defined()) {
      *result = std::move(only);
      return true;
    }
  }
  thread_local std::vector<c10::IValue> filled;
  filled.clear();
  std::vector<c10::IValue> containers;
  form.fill(context->outputs(), holes_of(recording, *context), &containers, &filled);
  if (!filled.empty()) *result = std::move(filled[0]);
  filled.clear();
  return true;
}

c10::IValue EngineState::walk(std::vector<c10::IValue> inputs, CallState* state, Planning planning,
                              CallTrace* trace) {
  const NvtxRange range("torchweld: call");
  calls_.fetch_add(1, std::memory_order_relaxed);
  if (state->slots.empty() && planning != Planning::kOff && trace == nullptr) {
    c10::IValue result;
    if (answer_at_once(inputs, &result)) return result;
  }
  complete_inputs(*module_, arguments_, &inputs);
  std::optional<at::AutoGradMode> no_grad;
  std::optional<at::AutoDispatchBelowAutograd> below_autograd;
  const bool whole = !module_->why_whole.empty();
  if (needs_autograd(inputs)) {
    planning = Planning::kOff;  // a plan builds no graph of gradients
  } else {
    no_grad.emplace(false);
    if (!whole) below_autograd.emplace();
  }
  if (whole) return call_whole(std::move(inputs), state);
  thread_local std::vector<const at::Tensor*> leaves;
  Walk walk;
  walk.arguments = inputs.size();
  walk.state = state;
  walk.planning = planning;
  walk.trace = trace;
  walk.unit = &root_;
  if (state->slots.empty()) {
    walk.values = std::move(inputs);
  } else {
    walk.values.swap(state->spare);
    walk.values.assign(std::move_iterator(inputs.begin()), std::move_iterator(inputs.end()));
    walk.values.insert(walk.values.end(), state->slots.begin(), state->slots.end());
  }
  while (!walk.done) {
    UnitPlan* plan = planning == Planning::kOff ? nullptr : walk.unit->find(walk.values, &leaves);
    if (plan == nullptr || !run_plan(plan, leaves, &walk)) interpret(&walk);
  }
  if (!state->slots.empty()) {
    walk.values.clear();
    walk.values.swap(state->spare);
  }
  if (planning != Planning::kOff) long_calls_.saw(walk.blocks, walk.settled);
  return std::move(walk.result);
}

/// False when the plan had to be retired before it changed anything: the interpreter then takes the
/// block.
bool EngineState::run_plan(UnitPlan* plan, const std::vector<const at::Tensor*>& leaves,
                           Walk* walk) {
  const BoundPlan& bound = *plan->plan;
  const Recording& recording = bound.recording();
  if (walk->trace != nullptr) walk->trace->enter(walk->unit, plan, leaves);
  ContextLease context(bound);
  try {
    context->run(leaves, walk->trace != nullptr ? walk->trace->after_step() : nullptr);
  } catch (const ShapeChanged& change) {
    walk->unit->retire(plan, change.what());
    if (!recording.written_inputs.empty())
      throw Error(ErrorCode::kInternal,
                  fmt::format("{}, after inputs were written", change.what()));
    log(LogLevel::kWarning, fmt::format("{}: plan retired: {}", module_->name, change.what()));
    return false;
  }
  planned_.fetch_add(1, std::memory_order_relaxed);
  const auto& outputs = context->outputs();
  thread_local std::vector<c10::IValue> filled, state;
  filled.clear();
  state.clear();
  std::vector<c10::IValue> containers;
  const std::vector<c10::IValue>& holes = holes_of(recording, *context);
  recording.outputs.fill(outputs, holes, &containers, &filled);
  recording.state.fill(outputs, holes, &containers, &state);
  for (size_t i = 0; i < state.size(); ++i)
    walk->state->slots[static_cast<size_t>(recording.state_slots[i])] = std::move(state[i]);
  state.clear();
  if (plan->next == nullptr) {
    walk->result = filled.empty() ? c10::IValue() : std::move(filled[0]);
    walk->done = true;
  } else {
    walk->go_on(plan->next, filled);
  }
  filled.clear();
  return true;
}

/// Walks until the method returns, or until a block begins for which there is a plan.
void EngineState::interpret(Walk* walk) {
  walk->settled = false;
  if (walk->unit->place() == nullptr) {
    std::vector<c10::IValue> arguments(
        walk->values.begin(), walk->values.begin() + static_cast<std::ptrdiff_t>(walk->arguments));
    check_inputs(*module_, options_.device, &arguments);
  }
  Machine machine(*module_->code, module_->slots, &walk->state->slots);
  if (walk->unit->place() == nullptr) {
    std::vector<c10::IValue> all{module_->self};
    all.insert(all.end(), walk->values.begin(),
               walk->values.begin() + static_cast<std::ptrdiff_t>(walk->arguments));
    machine.start(all);
  } else {
    machine.resume(*walk->unit->place(), walk->values);
  }
  while (!walk->done) {
    interpreted_.fetch_add(1, std::memory_order_relaxed);
    const bool records = walk->planning != Planning::kOff;
    Unit::Ticket begun = records ? begin_recording(*walk) : Unit::Ticket{};
    const int ticket = begun.number;
    if (walk->trace != nullptr) walk->trace->enter_interpreted(walk->unit);
    std::optional<Recorder> recorder;
    std::vector<c10::IValue> began_with;
    if (ticket != Unit::kNoTicket) {
      began_with = copy_for_gate(walk->values);
      recorder.emplace(walk->values, walk->arguments, walk->state->slots, module_->slots,
                       begun.open);
      if (recorder->numbers() != nullptr)
        machine.open_numbers(recorder->numbers(), walk->unit->place());
    }
    Machine::Stop stop = Machine::Stop::kReturned;
    try {
      stop = machine.run(recorder ? &*recorder : nullptr);
    } catch (...) {
      if (ticket != Unit::kNoTicket) walk->unit->give_up(ticket, "", true);
      throw;
    }
    close_block(walk, recorder ? &*recorder : nullptr, ticket, machine,
                stop == Machine::Stop::kReturned, std::move(began_with));
    std::vector<const at::Tensor*> leaves;
    if (!walk->done && walk->unit->find(walk->values, &leaves) != nullptr) return;
  }
}

void EngineState::close_block(Walk* walk, Recorder* recorder, int ticket, const Machine& machine,
                              bool returned, std::vector<c10::IValue> began_with) {
  std::vector<c10::IValue> results;
  std::optional<Place> place;
  if (returned) {
    results = machine.results();
  } else {
    place = machine.place();
    results = machine.environment(*place);
  }
  Unit* const unit = walk->unit;
  if (recorder != nullptr) {
    auto recording =
        recorder->abandoned() ? std::nullopt : recorder->finish(results, walk->state->slots, place);
    if (recording) {
      plan_later(unit, ticket, {std::move(*recording), std::move(began_with)}, walk->planning);
    } else {
      unit->give_up(ticket, recorder->why(), recorder->is_transient());
      if (!recorder->is_transient())
        log(LogLevel::kWarning, fmt::format("{}: not planned: {}", module_->name, recorder->why()));
    }
  }
  if (returned) {
    walk->result = results.empty() ? c10::IValue() : std::move(results[0]);
    walk->done = true;
  } else {
    walk->go_on(unit_at(*place), std::move(results));
  }
}

Unit::Ticket EngineState::begin_recording(const Walk& walk) const {
  // A device would have to be given each number by a copy, which the host waits for.
  Unit::Ticket ticket =
      walk.unit->begin_recording(walk.values, options_.max_plans, runtime_->can_be_timed());
  if (!ticket.complaint.empty())
    log(LogLevel::kWarning, fmt::format("{}: {}", module_->name, ticket.complaint));
  return ticket;
}

Unit* EngineState::unit_at(const Place& place) {
  const std::lock_guard lock(units_mutex_);
  auto& unit = units_[place];
  if (unit == nullptr) unit = std::make_unique<Unit>(place, names_of_values(*module_, false));
  return unit.get();
}

void EngineState::plan_later(Unit* unit, int ticket, Recorded recorded, Planning planning) {
  if (planning == Planning::kBlocking) return build(unit, ticket, std::move(recorded));
  auto shared = std::make_shared<Recorded>(std::move(recorded));
  thread_.post([this, unit, ticket, shared] { build(unit, ticket, std::move(*shared)); });
}

void EngineState::build(Unit* unit, int ticket, Recorded recorded) {
  const auto start = std::chrono::steady_clock::now();
  try {
    const at::AutoGradMode no_grad(false);
    const at::AutoDispatchBelowAutograd below_autograd;
    Unit* const next = recorded.recording.next ? unit_at(*recorded.recording.next) : nullptr;
    const Target target = this->target();
    auto bound = gate_
                     ? gate_->choose(recorded.recording, recorded.values, target)
                     : std::make_unique<BoundPlan>(std::move(recorded.recording), target, runtime_,
                                                   &setup_results_, options_.measure_products);
    built_.fetch_add(1, std::memory_order_relaxed);
    const int64_t us = std::chrono::duration_cast<std::chrono::microseconds>(
                           std::chrono::steady_clock::now() - start)
                           .count();
    build_us_.fetch_add(us, std::memory_order_relaxed);
    log(LogLevel::kDebug, fmt::format("{}: plan with {} steps built in {} us", module_->name,
                                      bound->plan().steps.size(), us));
    unit->add(ticket, std::make_unique<UnitPlan>(std::move(bound), next));
  } catch (const std::exception& cause) {
    unit->give_up(ticket, fmt::format("no plan could be made: {}", cause.what()), false);
    log(LogLevel::kWarning,
        fmt::format("{}: no plan could be made: {}", module_->name, cause.what()));
  }
}

void EngineState::prepare(const std::vector<c10::IValue>& inputs) {
  constexpr int kPasses =
      4;  // a recording that gave up transiently, and blocks that only the second call reaches
  thread_.wait();
  CallState state = fresh_state();
  for (int i = 0; i < kPasses; ++i) {
    const int64_t before = interpreted_.load();
    call(copy_of(inputs), &state, Planning::kBlocking);
    if (interpreted_.load() == before) return;
  }
}

Counters EngineState::counters() const {
  return {calls_.load(), planned_.load(), interpreted_.load(), built_.load(), build_us_.load()};
}

}  // namespace torchweld
