// cuBLASLt, opened at run time.
#pragma once

#include <memory>

#include "kernels/cuda/blas.h"

namespace torchweld::cuda {

/// One library handle for the process's device; algorithms are chosen by cuBLASLt's heuristic at
/// the first product of a shape and kept. The device's context has to be current where it is made
/// and where it runs, as it is under LibTorch's device guard.
///
/// Throws  Error kDevice when the library is missing or refuses to start.
std::shared_ptr<Blas> make_cublaslt();

}  // namespace torchweld::cuda
