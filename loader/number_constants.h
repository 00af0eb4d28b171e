// Numbers that a trace kept as tensors.
#pragma once

#include <torch/csrc/jit/api/module.h>

namespace torchweld {

/// Makes numbers of constant tensors without dims that are added, subtracted, multiplied or divided
/// by, in every function of the module.
///
/// A trace keeps the Python number of `torch.arange(16) * 0.5` as a float64 tensor. Read as a
/// tensor, it would widen integers to float64 where the model did not; LibTorch's default executor
/// reads it as a number (CanonicalizeOps), and so do we. It has to come before freezing, which
/// computes with constants.
/// Source  torch/csrc/jit/passes/canonicalize_graph_fuser_ops.cpp
void restore_numbers(const torch::jit::Module& module);

}  // namespace torchweld
