// The x86 back end: machine code from kernel specs, by AsmJit.
#pragma once

#include "kernels/kernel.h"
#include "kernels/x86/isa.h"

namespace torchweld::x86 {

/// A back end for `isa`, which this machine must have; null when it has not.
///
/// Memory   keeps at most a few thousand kernels; those in use live as long as their users.
/// Numerics f32 within the op table's tolerance, other types as libm.
std::shared_ptr<Backend> make_backend(Isa isa);

/// The best back end for this machine; null on processors without AVX2.
std::shared_ptr<Backend> make_backend();

}  // namespace torchweld::x86
