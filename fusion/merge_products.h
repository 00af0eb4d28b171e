// Products that share their left operand, as one product.
#pragma once

#include "fusion/planner.h"
#include "loader/graph.h"

namespace torchweld {

/// Linear layers of one input whose weights are constants become one: its weights and biases are
/// concatenated once, and what was their results are columns of its result.
///
/// Memory  the concatenated weights, beside the module's own; so only products of small weights,
///         where a launch less is worth it.
/// Leaves  a product whose result leaves the block, is written in place, or is read by an operator
///         of LibTorch's: those see LibTorch's strides. One with a residual: the library adds it.
void merge_products(Graph* graph, const Target& target);

}  // namespace torchweld
