// The engine behind the public handle: units, the way of a call, planning.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/context.h"
#include "engine/gate.h"
#include "engine/long_calls.h"
#include "engine/plan_thread.h"
#include "engine/runtime.h"
#include "engine/setup_results.h"
#include "engine/unit.h"
#include "loader/archive.h"
#include "loader/recorder.h"
#include "loader/straight_call.h"
#include "torchweld/engine.h"

namespace torchweld {

/// Follows a call for explain() and diverges().
class CallTrace {
 public:
  virtual ~CallTrace() = default;
  virtual void enter(const Unit* unit, const UnitPlan* plan,
                     const std::vector<const at::Tensor*>& leaves) = 0;
  virtual void enter_interpreted(const Unit* unit) = 0;
  /// Called by the executor after each step of the plan entered last; may be null.
  virtual const Context::AfterStep* after_step() = 0;
};

/// One caller's attributes.
struct CallState {
  std::vector<c10::IValue> slots;
  std::vector<c10::IValue> spare;  ///< room for a call's values, kept from call to call
  c10::IValue whole_self;          ///< for methods that LibTorch's interpreter runs whole
};

/// Shared by all copies of an Engine.
class EngineState {
 public:
  EngineState(std::shared_ptr<const Module> module, Options options);
  ~EngineState();

  /// The way of a call. `state` is the caller's; nobody else uses it meanwhile.
  c10::IValue call(std::vector<c10::IValue> inputs, CallState* state, Planning planning,
                   CallTrace* trace = nullptr);

  /// As call, on the engine's own session when the module has state, or in one piece.
  c10::IValue run(std::vector<c10::IValue> inputs);

  void prepare(const std::vector<c10::IValue>& inputs);
  CallState fresh_state() const;

  const Module& module() const { return *module_; }
  const Options& options() const { return options_; }
  const Runtime& runtime() const { return *runtime_; }
  const std::vector<Argument>& arguments() const { return arguments_; }
  Counters counters() const;
  std::vector<c10::IValue> copy_of(const std::vector<c10::IValue>& inputs) const;
  std::shared_ptr<const Runtime> shared_runtime() const { return runtime_; }
  Target target() const { return target_for(*runtime_, options_); }

 private:
  struct Walk;

  struct Recorded {
    Recording recording;
    std::vector<c10::IValue> values;  ///< a copy of the call's, for the gate; empty without one
  };

  c10::IValue walk(std::vector<c10::IValue> inputs, CallState* state, Planning planning,
                   CallTrace* trace);
  bool answer_at_once(const std::vector<c10::IValue>& inputs, c10::IValue* result);
  c10::IValue call_whole(std::vector<c10::IValue> inputs, CallState* state);
  bool may_run_in_one_piece() const;
  c10::IValue call_in_one_piece(std::vector<c10::IValue> inputs);
  c10::IValue run_faster_way(std::vector<c10::IValue> inputs);
  bool run_plan(UnitPlan* plan, const std::vector<const at::Tensor*>& leaves, Walk* walk);
  void interpret(Walk* walk);
  Unit::Ticket begin_recording(const Walk& walk) const;
  void close_block(Walk* walk, Recorder* recorder, int ticket, const Machine& machine,
                   bool returned, std::vector<c10::IValue> began_with);
  void plan_later(Unit* unit, int ticket, Recorded recorded, Planning planning);
  void build(Unit* unit, int ticket, Recorded recorded);
  std::vector<c10::IValue> copy_for_gate(const std::vector<c10::IValue>& values) const;
  Unit* unit_at(const Place& place);
  void log(LogLevel level, const std::string& message) const;

  std::shared_ptr<const Module> module_;
  Options options_;
  std::shared_ptr<const Runtime> runtime_;
  std::vector<Argument> arguments_;
  SetupResults setup_results_;
  std::optional<Gate> gate_;  ///< where plans are measured
  Unit root_;
  std::mutex units_mutex_;
  std::map<Place, std::unique_ptr<Unit>> units_;
  LongCalls long_calls_;
  std::once_flag straight_made_;
  std::optional<StraightCall> straight_;  ///< for calls in one piece, from the first of them on
  std::mutex own_session_mutex_;
  CallState own_session_;
  std::atomic<int64_t> calls_{0}, planned_{0}, interpreted_{0}, built_{0}, build_us_{0};
  PlanThread thread_;  // last: stops before what its jobs use goes
};

}  // namespace torchweld
