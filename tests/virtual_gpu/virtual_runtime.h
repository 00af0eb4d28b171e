// The engine on the virtual GPU: the CUDA back end and planner, LibTorch's operators on the host.
#pragma once

#include <memory>

#include "engine/runtime.h"
#include "kernels/cuda/compiler.h"
#include "tests/virtual_gpu/virtual_device.h"

namespace torchweld::virtual_gpu {

/// For Options::runtime, with Options::device the CPU: tensors are the host's, and what LibTorch
/// allocates from now on in this process is device memory too. One runtime a process.
std::shared_ptr<const Runtime> virtual_runtime(const cuda::CacheOptions& cache = {});

/// The device of virtual_runtime(), once that was called.
VirtualDevice& virtual_device();

}  // namespace torchweld::virtual_gpu
