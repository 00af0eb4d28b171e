// A CUDA device: kernels of our own through the driver, tensors and streams through LibTorch.
#pragma once

#include <memory>

#include "engine/runtime.h"

namespace torchweld {

/// The runtime of a CUDA device; one object a device. LibTorch's CUDA library is opened at the
/// first call.
///
/// Throws  Error kDevice when the driver, a device of this number or LibTorch's CUDA library is
/// missing.
std::shared_ptr<const Runtime> cuda_runtime(c10::Device device);

}  // namespace torchweld
