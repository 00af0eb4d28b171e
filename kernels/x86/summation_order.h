// How the libraries that LibTorch calls split long sums.
#pragma once

#include <cstdint>

#include "kernels/x86/conv_shape.h"

namespace torchweld::x86 {

/// That of LibTorch's convolution of the same sizes, on this machine.
///
/// Shapes   `s` a dense convolution of float32; `threads` of LibTorch, by which it chooses between
///          oneDNN and MKL.
/// Source   the choice: at::native::ConvParams::use_mkldnn; the orders: measured, MKL 2024.2 and
///          oneDNN 3.10, with AVX2 and AVX-512.
SummationOrder libtorch_order(const ConvShape& s, int threads);

}  // namespace torchweld::x86
