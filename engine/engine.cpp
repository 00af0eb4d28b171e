// The public handles.
#include "torchweld/engine.h"

#include <fmt/format.h>
#include <torch/headeronly/version.h>

#include "engine/engine_state.h"
#include "engine/explain.h"

namespace torchweld {

/// A session's state, and the engine that it keeps alive.
class SessionState {
 public:
  explicit SessionState(std::shared_ptr<EngineState> owner)
      : engine(std::move(owner)), state(engine->fresh_state()) {}
  std::shared_ptr<EngineState> engine;
  CallState state;
};

c10::IValue Session::run(std::vector<c10::IValue> inputs) {
  return state_->engine->call(std::move(inputs), &state_->state,
                              state_->engine->options().planning);
}

void Session::reset() { state_->state = state_->engine->fresh_state(); }

c10::IValue Engine::run(std::vector<c10::IValue> inputs) const {
  return state_->run(std::move(inputs));
}

void Engine::prepare(const std::vector<c10::IValue>& inputs) const { state_->prepare(inputs); }

Session Engine::session() const { return Session(std::make_shared<SessionState>(state_)); }

bool Engine::is_stateful() const { return state_->module().writes_state; }

Explanation Engine::explain(const std::vector<c10::IValue>& inputs) const {
  return torchweld::explain(state_.get(), inputs);
}

std::optional<Divergence> Engine::diverges(const std::vector<c10::IValue>& inputs, double rtol,
                                           double atol) const {
  return torchweld::diverges(state_.get(), inputs, rtol, atol);
}

const std::vector<Argument>& Engine::arguments() const { return state_->arguments(); }

const Options& Engine::options() const { return state_->options(); }

Counters Engine::counters() const { return state_->counters(); }

Engine load(const std::string& path, const Options& options) {
  if (!options.runtime)
    runtime_for(options.device);  // a missing driver is said before anything else
  auto module = load_module(path, {options.device, options.method});
  return Engine(std::make_shared<EngineState>(std::move(module), options));
}

Engine load(std::istream& archive, const Options& options) {
  if (!options.runtime) runtime_for(options.device);
  auto module = load_module(archive, {options.device, options.method});
  return Engine(std::make_shared<EngineState>(std::move(module), options));
}

std::string version() {
  const Backend* backend = runtime_for(c10::kCPU)->backend();
  return fmt::format("Torchweld 0.1.0, LibTorch {}, {}", TORCH_VERSION,
                     backend == nullptr ? "no code generator" : backend->description());
}

const char* name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kFile:
      return "file";
    case ErrorCode::kBadArchive:
      return "bad archive";
    case ErrorCode::kNewerFormat:
      return "newer format";
    case ErrorCode::kUnknownOperator:
      return "unknown operator";
    case ErrorCode::kUnknownClass:
      return "unknown class";
    case ErrorCode::kTrainingMode:
      return "training mode";
    case ErrorCode::kNoSuchMethod:
      return "no such method";
    case ErrorCode::kBadInput:
      return "bad input";
    case ErrorCode::kModelRaised:
      return "raised by the model";
    case ErrorCode::kOutOfMemory:
      return "out of memory";
    case ErrorCode::kOperatorFailed:
      return "operator failed";
    case ErrorCode::kDevice:
      return "device";
    case ErrorCode::kBadText:
      return "bad text";
    case ErrorCode::kInternal:
      return "internal";
  }
  return "unknown";
}

}  // namespace torchweld
