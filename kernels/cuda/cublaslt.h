// cuBLASLt, opened at run time.
#pragma once

#include <memory>

#include "kernels/cuda/blas.h"
#include "kernels/cuda/disk_cache.h"

namespace torchweld::cuda {

/// One library handle for a device. Algorithms are chosen by cuBLASLt's heuristic, or measured
/// where prepare() is told so; then the choice is kept in the cache, by GPU and version of the
/// library. The device's context has to be current where it is made and used, as it is under
/// LibTorch's device guard.
///
/// Throws  Error kDevice when the library is missing or refuses to start.
std::shared_ptr<Blas> make_cublaslt(std::shared_ptr<Device> device, const CacheOptions& cache = {});

}  // namespace torchweld::cuda
