// Complex numbers as pairs of floats.
#pragma once

#include "loader/graph.h"

namespace torchweld {

/// Operators over complex64 become operators over views of the real and the imaginary parts, which
/// lie side by side, and moves of 8 bytes an element. What they stand for keeps its storage, so
/// that LibTorch's steps (Fourier transforms, linear algebra) read and make complex tensors as
/// before. Conjugates are views whose readers subtract where they would add.
///
/// Known are sums, differences, products, quotients by real numbers, absolute values, angles, exp,
/// polar and complex, matrix products and einsums of two, zeros, and the operators that move
/// elements, copies in place among them. For plain tensors; others stay. The parts of a constant
/// that is multiplied are constants of their own.
///
/// Numerics  products are ac - bd and ad + bc, as LibTorch's; a quotient by a real number divides
///           both parts; absolute values are hypot's.
void complex_parts(Graph* graph);

}  // namespace torchweld
