// Which instructions and loads each phase of a row needs; a pointwise spec has one phase.
#pragma once

#include <vector>

#include "kernels/phases.h"

namespace torchweld::cuda {

/// By instruction: whether a pass of this phase needs its value for the element at hand. Values of
/// the row are known before and carry nothing further.
std::vector<bool> needed_in(const KernelSpec& spec, const Phases& phases, int phase);

/// By instruction, for values of the row: the first phase whose pass needs it, phases.count if only
/// what is stored once a row does. Computed no sooner, it takes no register in the passes before.
std::vector<int> due_in(const KernelSpec& spec, const Phases& phases);

/// Bit p: a pass of phase p reads this load at the elements' own places.
unsigned phases_of_load(const KernelSpec& spec, const Phases& phases, size_t load);

/// Whether an instruction reads its operand in vectors of elements.
bool is_vector_load(const KernelSpec& spec, const Phases& phases, size_t inst);

}  // namespace torchweld::cuda
