// The engine's own calls: by plans, or in one piece where that is faster.
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <chrono>

#include "engine/call_inputs.h"
#include "engine/engine_state.h"

namespace torchweld {

bool EngineState::may_run_in_one_piece() const {
  return gate_ && module_->why_whole.empty() && !module_->writes_state &&
         options_.planning != Planning::kOff && options_.precision == Precision::kArchive;
}

c10::IValue EngineState::call_in_one_piece(std::vector<c10::IValue> inputs) {
  calls_.fetch_add(1, std::memory_order_relaxed);
  interpreted_.fetch_add(1, std::memory_order_relaxed);
  complete_inputs(*module_, arguments_, &inputs);
  check_inputs(*module_, options_.device, &inputs);
  std::call_once(straight_made_, [this] { straight_.emplace(*module_); });
  const at::AutoGradMode no_grad(false);
  const at::AutoDispatchBelowAutograd below_autograd;
  return (*straight_)(std::move(inputs));
}

c10::IValue EngineState::run_faster_way(std::vector<c10::IValue> inputs) {
  if (needs_autograd(inputs)) return call(std::move(inputs), &own_session_, options_.planning);
  const LongCalls::Turn turn = long_calls_.next();
  if (turn.changed)
    log(LogLevel::kInfo,
        fmt::format("{}: calls of many blocks now run {}, which was measured to be faster",
                    module_->name, turn.whole ? "in one piece by LibTorch" : "by plans"));
  const auto start =
      turn.timed ? std::chrono::steady_clock::now() : std::chrono::steady_clock::time_point();
  c10::IValue result = turn.whole ? call_in_one_piece(std::move(inputs))
                                  : call(std::move(inputs), &own_session_, options_.planning);
  if (turn.timed) {
    const std::chrono::duration<double, std::micro> us = std::chrono::steady_clock::now() - start;
    long_calls_.took(turn, us.count());
  }
  return result;
}

c10::IValue EngineState::run(std::vector<c10::IValue> inputs) {
  if (may_run_in_one_piece() && long_calls_.begun()) return run_faster_way(std::move(inputs));
  if (!module_->writes_state) return call(std::move(inputs), &own_session_, options_.planning);
  const std::lock_guard lock(own_session_mutex_);
  return call(std::move(inputs), &own_session_, options_.planning);
}

}  // namespace torchweld
