// From a TorchScript archive to a Module: deserialised by LibTorch, inlined and frozen without
// changing numbers.
#pragma once

#include <ATen/core/function_schema.h>
#include <ATen/core/ivalue.h>
#include <c10/core/Device.h>

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "loader/code.h"
#include "loader/machine.h"

namespace torchweld {

/// A loaded archive's method, ready to walk. Immutable; the state is copied for each session.
struct Module {
  explicit Module(c10::FunctionSchema method_schema) : schema(std::move(method_schema)) {}

  std::string name;  ///< file name, or "stream"
  std::string method;
  c10::IValue self;  ///< the frozen module
  std::shared_ptr<const Code> code;
  c10::FunctionSchema schema;  ///< of the method, without self
  StateSlots slots;            ///< mutable attributes that the method uses
  std::vector<std::string> slot_names;
  std::vector<c10::IValue> initial_state;
  bool writes_state = false;
  std::string why_whole;  ///< why LibTorch's interpreter must run it; empty when our walk can

  /// Runs the method in LibTorch's own interpreter, on `self` (or a copy of it).
  std::function<c10::IValue(const c10::IValue& self, std::vector<c10::IValue> arguments)> run_whole;
};

/// What load_module is told.
struct LoadOptions {
  c10::Device device = c10::kCPU;
  std::string method = "forward";
};

/// Throws  Error kFile, kBadArchive, kNewerFormat, kUnknownOperator, kUnknownClass, kTrainingMode,
/// kNoSuchMethod.
std::shared_ptr<const Module> load_module(const std::string& path, const LoadOptions& options);
std::shared_ptr<const Module> load_module(std::istream& archive, const LoadOptions& options);

}  // namespace torchweld
