// Many kernels to machine code of one architecture.
#pragma once

#include <string>
#include <vector>

#include "kernels/cuda/source.h"

namespace torchweld::testing {

struct Architecture {
  int capability = 90;
  bool for_it_alone = false;  ///< sm_90a
};

/// The sources, of those that differ in their kernels' names alone one.
std::vector<cuda::Source> distinct(std::vector<cuda::Source> sources);

/// Compiles each source to machine code, on all cores, and says what is wrong with it: no code, a
/// warning, a spill. Nothing is: empty.
std::vector<std::string> complaints(const std::vector<cuda::Source>& sources,
                                    const Architecture& architecture);

}  // namespace torchweld::testing
