// Products computed in another type than the archive's.
#pragma once

#include "fusion/planner.h"
#include "loader/graph.h"

namespace torchweld {

/// Matrix products, convolutions and attention take operands of another type and give such results;
/// casts stand around each of them, and what lies between keeps its type. Weights are converted
/// once.
///
/// Over float32 that type is Target::products, as under LibTorch's autocast. Attention with a mask
/// of scores stays float32: a mask's large negative numbers are infinite in the narrow types.
///
/// Over halves it is float32 where Target::widens_halves, of recurrent operators too; each result
/// is rounded as LibTorch rounds its own. Large products of bfloat16 stay, which processors have
/// instructions for, and so do those whose weights would take too much memory once more.
void retype_products(Graph* graph, const Target& target);

}  // namespace torchweld
