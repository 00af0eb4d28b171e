// Arithmetic of places in 32 bits: where a load reads follows from coordinates and parameters,
// which are 64 bits wide in a spec and would halve the lanes of the whole kernel.
#pragma once

#include <optional>

#include "kernels/kernel.h"

namespace torchweld::x86 {

/// Whether a body asks for coordinates or parameters, or reads elsewhere than at its own place.
bool has_places(const KernelSpec& spec);

/// The spec with such arithmetic in i32, coordinates and parameters too; nullopt where an offset
/// follows from data, which is checked by nobody.
std::optional<KernelSpec> with_short_places(const KernelSpec& spec);

/// Whether no place of a launch is beyond 32 bits.
bool places_are_short(const Geometry& geometry);

}  // namespace torchweld::x86
