// The instruction sets that the generator knows.
#pragma once

#include <optional>

#include "kernels/dtype.h"

namespace torchweld::x86 {

enum class Isa {
  kAvx2,    ///< AVX2, FMA and F16C
  kAvx512,  ///< AVX-512 F, BW, DQ and VL on top
};

/// The best one that this machine has; nullopt when it has neither.
std::optional<Isa> host_isa();

/// Whether AMD made the processor, for which MKL has code of its own.
bool is_amd();

/// Whether this machine has instructions for products of a floating type.
bool multiplies(DType type);

}  // namespace torchweld::x86
