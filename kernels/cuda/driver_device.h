// A GPU, by the CUDA driver.
#pragma once

#include <memory>

#include "kernels/cuda/device.h"

namespace torchweld::cuda {

/// Device `ordinal` in its primary context, which LibTorch and the CUDA runtime share. One object
/// an ordinal, made at its first use.
///
/// Throws  Error kDevice when there is no driver or no such device.
std::shared_ptr<Device> driver_device(int ordinal);

}  // namespace torchweld::cuda
