// When each instruction of a row kernel can be computed, for every code generator.
#pragma once

#include <vector>

#include "kernels/spec.h"

namespace torchweld {

/// The passes over a row that a body needs: softmax is three, its maximum, its sum, its quotients.
struct Phases {
  /// By instruction: the first pass in which its value is known for the element at hand. For a
  /// reduction it is the pass after the one that accumulates it.
  std::vector<int> ready;
  /// By instruction: one value a row, not one an element.
  std::vector<bool> per_row;
  /// Passes over the elements; at least 1. Row values that are ready only at `count` are what the
  /// last pass reduced.
  int count = 1;
};

/// Pointwise specs have one pass.
Phases phases_of(const KernelSpec& spec);

}  // namespace torchweld
