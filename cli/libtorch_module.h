// LibTorch's own answer to a call: what `check`, `bench` and the tests compare with.
#pragma once

#include <torch/csrc/jit/api/module.h>

#include <string>
#include <vector>

#include "torchweld/engine.h"

namespace torchweld::cli {

/// An archive in LibTorch's hands.
class LibTorchModule {
 public:
  /// Throws what torch::jit::load throws.
  explicit LibTorchModule(const std::string& archive, std::string method = "forward",
                          c10::Device device = c10::kCPU);

  /// Runs the method without autograd, by LibTorch's interpreter with its executor's optimisations
  /// off, but for the one that decides on dtypes: it reads a trace's numbers as numbers.
  c10::IValue run_eager(std::vector<c10::IValue> inputs);

  /// As run_eager, with floating weights and inputs widened to float64 from now on. Throws what
  /// LibTorch throws where the archive names a dtype or holds weights as constants.
  c10::IValue run_float64(std::vector<c10::IValue> inputs);

  /// As a program that knows nothing better would: the default executor.
  c10::IValue run(std::vector<c10::IValue> inputs);

  /// The method's arguments without self.
  std::vector<Argument> arguments() const;

  torch::jit::Module& module() { return module_; }

 private:
  torch::jit::Module module_;
  std::string method_;
  bool reads_numbers_ = false;
};

/// Copies of all tensors in a value, strides kept; tensors that share memory share it no more.
c10::IValue copied(const c10::IValue& value);
std::vector<c10::IValue> copied(const std::vector<c10::IValue>& values);

}  // namespace torchweld::cli
