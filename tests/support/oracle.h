// The one comparison of the engine with LibTorch's interpreter.
#pragma once

#include <ATen/core/ivalue.h>

#include <string>
#include <vector>

#include "torchweld/engine.h"

namespace torchweld::testing {

using Values = std::vector<c10::IValue>;

/// How thoroughly one archive is compared.
struct OracleOptions {
  std::vector<Options> options;       ///< each is a load of its own
  int runs = 3;                       ///< calls of one engine with the same inputs
  bool other_inputs = true;           ///< also other values, and twice the first dimension
  bool compare_with_recorded = true;  ///< also the outputs of the original Python model
};

/// Planning at the first call and interpreting only, default and exact numerics.
std::vector<Options> every_option();

/// Another signature: every tensor is twice as long in its first dimension.
Values other_shape(const Values& inputs);

/// Runs the archive "GROUP/NAME" by the engine and by LibTorch and expects the same; halves of
/// plans in default numerics that differ, no farther from LibTorch's answer in float64 than
/// LibTorch's own.
///
/// Compared  every run's whole answer, strides, what became of the inputs, whether both raise;
/// earlier answers again at the
///           end, so that memory reused for a later call is noticed.
void expect_agrees_with_libtorch(const std::string& name,
                                 const OracleOptions& options = {every_option()});

}  // namespace torchweld::testing
