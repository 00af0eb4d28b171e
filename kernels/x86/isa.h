// The instruction sets that the generator knows.
#pragma once

#include <optional>

namespace torchweld::x86 {

enum class Isa {
  kAvx2,    ///< AVX2, FMA and F16C
  kAvx512,  ///< AVX-512 F, BW, DQ and VL on top
};

/// The best one that this machine has; nullopt when it has neither.
std::optional<Isa> host_isa();

}  // namespace torchweld::x86
