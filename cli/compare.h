// The comparison of two answers: the program's `check` and the tests' oracle use this one.
#pragma once

#include <ATen/core/ivalue.h>

#include <optional>
#include <string>

#include "loader/tolerance.h"

namespace torchweld::cli {

using Tolerance = AllowedError;

/// What comparing two values found.
struct Comparison {
  double largest_error = 0;  ///< largest absolute difference of any two finite elements
  std::optional<std::string>
      mismatch;  ///< where and how the first unequal pair differs; nullopt if none
  bool differs_in_structure = false;  ///< something else than elements of tensors differs
};

/// Compares whole structures: kinds, lengths, keys, shapes, element types, devices and elements.
///
/// Numerics  NaN equals NaN; infinities equal those of their sign. Floats outside tensors as
/// float64.
Comparison compare(const c10::IValue& expected, const c10::IValue& actual,
                   const std::optional<Tolerance>& tolerance = std::nullopt);

}  // namespace torchweld::cli
