// The tables' kernels, as text.
#pragma once

#include <vector>

#include "kernels/cuda/source.h"

namespace torchweld::testing {

/// Those of the op table's rows and of the tables of cases, each on every skeleton that takes it
/// and in its wide form, and of the operators that are written by hand: what kernels/cuda/ runs.
std::vector<cuda::Source> sources_of_tables();

}  // namespace torchweld::testing
