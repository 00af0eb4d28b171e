// How much work is worth another thread.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace torchweld {

/// Pieces of so many cycles are worth a thread that has to be woken, and of so few no thread at all
/// (bench/split, figures in docs/benchmarks.md).
inline constexpr int64_t kGrainCycles = 60000, kLeastGrainCycles = 6000;

/// Pieces of so many cycles are worth the threads that work is handed to from the calling one:
/// fewer the sooner these began their last piece, as long as that is so short a time ago that they
/// still wait for the next.
int64_t grain_cycles();

/// `pool`, which grain_cycles() hears of from now on.
ParallelFor watched(ParallelFor pool);

}  // namespace torchweld
