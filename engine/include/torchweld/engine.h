// The public API: load an archive, run it.
#pragma once

#include <ATen/core/ivalue.h>

#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "torchweld/error.h"
#include "torchweld/explanation.h"
#include "torchweld/options.h"

namespace torchweld {

class EngineState;
class SessionState;

/// One argument of the archive's method, as its schema declares it.
struct Argument {
  std::string name, type;
  std::optional<c10::IValue> default_value;
};

/// Where a plan's answer first differs from LibTorch's, as `Engine::diverges` finds it.
struct Divergence {
  int block = 0, step = 0;
  std::string name;    ///< kernel or operator of the step
  std::string op;      ///< the node that wrote the differing value
  std::string source;  ///< its archive source line
  double largest_error = 0;
};

/// Counters since load; a service exports them. Every one only grows.
struct Counters {
  int64_t calls = 0;           ///< run() calls answered
  int64_t planned_blocks = 0;  ///< blocks executed by a plan
  int64_t interpreted_blocks =
      0;  ///< blocks interpreted: first calls, and blocks that can't be planned
  int64_t plans_built = 0;
  int64_t plan_build_us = 0;
};

/// One caller's copy of the attributes that the module writes; weights stay shared with the engine.
///
/// Threads  one call at a time; different sessions run in parallel.
class Session {
 public:
  /// As Engine::run, on this session's state.
  c10::IValue run(std::vector<c10::IValue> inputs);

  /// Puts the state back to what the archive was saved with.
  void reset();

 private:
  friend class Engine;
  explicit Session(std::shared_ptr<SessionState> state) : state_(std::move(state)) {}
  std::shared_ptr<SessionState> state_;
};

/// A loaded archive. Cheap to copy: copies share everything.
///
/// Threads  every member is safe from any number of threads; run() holds no lock while the model
/// runs. Streams  on CUDA, work goes to the caller's current stream.
class Engine {
 public:
  /// Runs the method; the same answer, structure and aliasing as LibTorch's.
  ///
  /// Inputs  positional, by the method's schema; missing trailing arguments take their defaults.
  /// Tensors must be
  ///         on the engine's device. A list or tuple of tensors is one IValue.
  /// State   a module that writes attributes runs on one session that the engine owns, one call at
  /// a time. Memory  on a known signature nothing but the outputs is allocated by fused and library
  /// steps. Throws  Error: kBadInput, kModelRaised, kOperatorFailed, kOutOfMemory.
  c10::IValue run(std::vector<c10::IValue> inputs) const;

  /// Makes the plans for these inputs now, so that the next run() is fast; state and inputs stay as
  /// they are.
  void prepare(const std::vector<c10::IValue>& inputs) const;

  /// A fresh copy of the module's state, for modules that write attributes.
  Session session() const;

  /// Whether the method writes attributes.
  bool is_stateful() const;

  /// Plans (if needed), runs and times the call; tells how it is executed. State and inputs stay as
  /// they are.
  Explanation explain(const std::vector<c10::IValue>& inputs) const;

  /// Runs the plan step by step beside LibTorch's operators; the first step whose values differ by
  /// more than rtol and atol (torch.testing's, by dtype, when negative). nullopt when none does.
  std::optional<Divergence> diverges(const std::vector<c10::IValue>& inputs, double rtol = -1,
                                     double atol = -1) const;

  const std::vector<Argument>& arguments() const;
  const Options& options() const;
  Counters counters() const;

 private:
  friend Engine load(const std::string&, const Options&);
  friend Engine load(std::istream&, const Options&);
  explicit Engine(std::shared_ptr<EngineState> state) : state_(std::move(state)) {}
  std::shared_ptr<EngineState> state_;
};

/// Loads a TorchScript archive, traced or scripted.
///
/// Weights and baked device constants are moved to options.device.
/// Throws  Error: kFile, kBadArchive, kNewerFormat, kUnknownOperator, kUnknownClass, kTrainingMode,
/// kNoSuchMethod.
Engine load(const std::string& path, const Options& options = {});
Engine load(std::istream& archive, const Options& options = {});

/// "Torchweld 0.1.0, LibTorch 2.11.0, x86 (AVX-512)".
std::string version();

}  // namespace torchweld
