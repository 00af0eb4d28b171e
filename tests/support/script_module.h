// Small modules written as TorchScript source in the test that needs them.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "torchweld/engine.h"

namespace torchweld::testing {

/// A module in LibTorch's hands, which can be saved and loaded by the engine.
class ScriptModule {
 public:
  using Attributes = std::vector<std::pair<std::string, c10::IValue>>;

  /// `source`: methods, "def forward(self, x): ..."; tensors among the attributes become buffers.
  /// test.name is the operator test::name, which the test registers.
  explicit ScriptModule(const std::string& source, const Attributes& attributes = {});

  /// The engine's view of the archive that LibTorch saves.
  Engine load(const Options& options = {}) const;

  /// LibTorch's answer, without autograd and optimisations; writes this module's attributes.
  c10::IValue run(std::vector<c10::IValue> inputs) const { return run_(std::move(inputs)); }

 private:
  std::string archive_;
  std::function<c10::IValue(std::vector<c10::IValue>)> run_;
};

/// Options with planning at the end of the first call.
Options blocking();

}  // namespace torchweld::testing
