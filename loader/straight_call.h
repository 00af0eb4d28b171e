// A method's graph in LibTorch's interpreter as it stands: without profiling, passes or recording.
#pragma once

#include <ATen/core/ivalue.h>

#include <memory>
#include <vector>

#include "loader/archive.h"

namespace torch::jit {
struct Code;
}

namespace torchweld {

/// For methods that write no attributes. One object serves any number of threads at once.
class StraightCall {
 public:
  /// Costs a copy of the graph, which shares its weights.
  explicit StraightCall(const Module& module);
  ~StraightCall();
  StraightCall(const StraightCall&) = delete;
  StraightCall& operator=(const StraightCall&) = delete;

  /// Throws  Error kModelRaised, kOperatorFailed, kOutOfMemory.
  c10::IValue operator()(std::vector<c10::IValue> arguments) const;

 private:
  const Module& module_;
  std::unique_ptr<const torch::jit::Code> code_;
};

}  // namespace torchweld
