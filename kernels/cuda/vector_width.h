// How many consecutive elements a thread takes at once, and when their addresses allow it.
#pragma once

#include <vector>

#include "kernels/cuda/schedule.h"

namespace torchweld::cuda {

/// The widest vector, 1 to 8, that is no wider than 16 bytes in any operand and whose every row
/// starts at a multiple of it, were the operands' first elements aligned.
int vector_width(const Problem& problem);

/// An operand that is read or written in vectors.
struct VectorOperand {
  size_t index = 0;   ///< among loads, then stores
  int64_t bytes = 0;  ///< an element
};

std::vector<VectorOperand> vector_operands(const KernelSpec& spec);

/// Whether the operands' first elements are aligned to `vector` of their elements.
bool is_aligned(const std::vector<VectorOperand>& operands, void* const* pointers, int vector);

}  // namespace torchweld::cuda
