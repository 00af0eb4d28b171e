// What a compile left, from NVRTC or from the cache.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "kernels/cuda/device.h"

namespace torchweld::cuda {

struct Program {
  Image image;
  std::vector<std::pair<std::string, Resources>> kernels;  ///< by entry name
  double compile_us = 0;
};

}  // namespace torchweld::cuda
