// Operators whose right place is a tuned library: LibTorch hands them to oneDNN, MKL (products,
// Fourier transforms, LAPACK), cuDNN or cuBLAS. torchvision's and torchaudio's are functions that
// come with the loader.
#pragma once

#include <string>

namespace torchweld {

bool is_library_op(const std::string& op);

}  // namespace torchweld
