// Every kernel that tests have made for the virtual GPU, as text.
#pragma once

#include <string>
#include <vector>

#include "kernels/cuda/program.h"
#include "kernels/cuda/source.h"

namespace torchweld::testing {

/// A kernel of a plan, and what became of it on the virtual GPU's own architecture, sm_90.
struct PlanKernel {
  cuda::Source source;
  std::vector<std::pair<std::string, cuda::Resources>> entries;
};

/// Those of the plans of all archives, for the inputs and shapes that cuda_plans/ runs them with:
/// made from specs or written by hand. Of equal texts one.
const std::vector<PlanKernel>& kernels_of_plans();

/// Those of the op table's rows and of the tables of cases, each on every skeleton that takes it,
/// and of the operators that are written by hand: what kernels/cuda/ runs.
std::vector<cuda::Source> sources_of_tables();

}  // namespace torchweld::testing
