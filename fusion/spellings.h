// Operators that are another's spelling.
#pragma once

#include "fusion/planner.h"
#include "loader/graph.h"

namespace torchweld {

/// linalg_norm, and linalg_matrix_norm of Frobenius, become linalg_vector_norm; reshape_as becomes
/// reshape, outer and ger a product that broadcasts, count_nonzero a sum of truth, fft_fftshift and
/// its inverse rolls, cross products four rolls and their products' difference, a sum over dims of
/// size 1 a pointwise operator, bilinear, but in exact numerics, a product and sums: what the
/// passes behind know.
void respell(Graph* graph, const Target& target);

}  // namespace torchweld
