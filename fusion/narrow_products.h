// Products of float32 computed in half the width, where the caller asked for it.
#pragma once

#include "fusion/planner.h"
#include "loader/graph.h"

namespace torchweld {

/// Matrix products, convolutions and attention over float32 take operands of Target::products and
/// give such results, as they do under LibTorch's autocast; what lies between them stays float32.
/// Weights are converted once. For kF32 this does nothing.
///
/// Attention with a mask of scores stays float32: a mask's large negative numbers are infinite in
/// the narrow types.
void narrow_products(Graph* graph, const Target& target);

}  // namespace torchweld
