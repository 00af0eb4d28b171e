// What a compile left, from NVRTC or from the cache.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/cuda/device.h"

namespace torchweld::cuda {

struct Program {
  Image image;
  std::vector<std::pair<std::string, Resources>> kernels;  ///< by entry name
  double compile_us = 0;
};

/// As bytes for the disk cache; the time is not kept.
std::string packed(const Program& program);
/// Nullopt when the bytes are not those of a program.
std::optional<Program> unpacked(std::string_view bytes);

}  // namespace torchweld::cuda
