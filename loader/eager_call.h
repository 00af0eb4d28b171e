// One node run by LibTorch's own operator, its arguments prepared once.
#pragma once

#include <ATen/core/stack.h>

#include <functional>
#include <string>
#include <vector>

#include "loader/graph.h"

namespace torchweld {

/// Finds the operator and turns the constant arguments into IValues when a plan is made.
class EagerCall {
 public:
  /// Throws  Error kInternal when the operator has gone from the registry since the recording.
  EagerCall(const Graph& graph, const Node& node, const std::vector<c10::IValue>& opaques);

  /// Runs on `stack`, left with the results. `tensor_of` gives the tensor of a value.
  /// Throws  Error kOperatorFailed or kOutOfMemory, with the operands.
  void run(torch::jit::Stack* stack, const std::function<at::Tensor(ValueId)>& tensor_of) const;

 private:
  std::string op_, source_;
  std::vector<Arg> args_;
  std::vector<c10::IValue> values_;  // by argument; None where a tensor goes
  std::vector<c10::TypePtr> types_;
  std::function<void(torch::jit::Stack&)> operation_;
};

}  // namespace torchweld
