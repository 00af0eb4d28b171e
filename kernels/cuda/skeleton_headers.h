// The .cuh files of skeletons/, embedded in the library by the build.
#pragma once

#include <vector>

#include "kernels/cuda/nvrtc.h"

namespace torchweld::cuda {

/// All of them, by file name, in a fixed order.
const std::vector<Header>& skeleton_headers();

}  // namespace torchweld::cuda
