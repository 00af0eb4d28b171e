// Operators whose right place is a tuned library: LibTorch hands them to oneDNN, MKL (products,
// Fourier transforms, LAPACK), cuDNN or cuBLAS.
#pragma once

#include <string>

namespace torchweld {

bool is_library_op(const std::string& op);

}  // namespace torchweld
