// An operator of TorchScript's table, called as an archive's node calls it.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/stack.h>
#include <torch/csrc/jit/runtime/operator.h>

#include <string>
#include <utility>
#include <vector>

namespace torchweld::testing {

/// The results of the first overload of "torchvision::nms" or the like.
inline std::vector<at::Tensor> call_operator(const std::string& name,
                                             std::vector<c10::IValue> arguments) {
  const auto& overloads = torch::jit::getAllOperatorsFor(c10::Symbol::fromQualString(name));
  TORCH_CHECK(!overloads.empty(), "nobody registered ", name);
  torch::jit::Stack stack = std::move(arguments);
  overloads.front()->getOperation()(stack);
  std::vector<at::Tensor> results;
  for (const c10::IValue& value : stack) results.push_back(value.toTensor());
  return results;
}

}  // namespace torchweld::testing
