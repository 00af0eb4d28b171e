// What a compile left, from NVRTC or from the cache.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/cuda/device.h"
#include "kernels/kernel.h"

namespace torchweld::cuda {

struct Program {
  Image image;
  std::vector<std::pair<std::string, Resources>> kernels;  ///< by entry name
  double compile_us = 0;
};

/// What explain says of it: the most that any of its entries takes.
KernelListing listing_of(const std::string& source, const Program& program);

/// As bytes for the disk cache; the time is not kept.
std::string packed(const Program& program);
/// Nullopt when the bytes are not those of a program.
std::optional<Program> unpacked(std::string_view bytes);

}  // namespace torchweld::cuda
