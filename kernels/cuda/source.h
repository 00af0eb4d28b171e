// From a spec and its schedule to CUDA C++: a Body, and the entries that put it into a skeleton.
#pragma once

#include <string>
#include <vector>

#include "kernels/cuda/schedule.h"

namespace torchweld::cuda {

struct Source {
  std::string text;
  /// In the order in which a launch picks or runs them. Pointwise: the vectors, then one element a
  /// thread for addresses that aren't aligned. A split row: one a phase, then the row's values.
  std::vector<std::string> entries;
  int params = 0;  ///< launch parameters that the body reads
};

Source source_of(const KernelSpec& spec, const Schedule& schedule);

}  // namespace torchweld::cuda
