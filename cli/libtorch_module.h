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

  /// As run_eager, with all of float32, float16 and bfloat16 in another type from now on: weights,
  /// constants, inputs, and the dtypes that the archive's code names.
  c10::IValue run_in(c10::ScalarType type, std::vector<c10::IValue> inputs);

  /// As a program that knows nothing better would: the default executor.
  c10::IValue run(std::vector<c10::IValue> inputs);

  /// The method's arguments without self.
  std::vector<Argument> arguments() const;

  torch::jit::Module& module() { return module_; }

 private:
  torch::jit::Module module_;
  std::string method_;
  bool reads_numbers_ = false;
  bool has_other_type_ = false;
};

/// Copies of all tensors in a value, strides kept; tensors that share memory share it no more.
c10::IValue copied(const c10::IValue& value);
std::vector<c10::IValue> copied(const std::vector<c10::IValue>& values);

}  // namespace torchweld::cli
