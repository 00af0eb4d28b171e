// Concatenations behind the operators by element that read them.
#pragma once

#include "fusion/planner.h"
#include "loader/graph.h"

namespace torchweld {

/// f(cat(a, b), c) becomes cat(f(a, c's first part), f(b, its rest)), for as many operators as one
/// reads the other and nobody else does; so does a stack that is read with its last two dims as
/// one. A rotary embedding's half turned, joined, scaled and added is one kernel, not three. Not
/// where an operand is a library's result, with which the operator is to be one step, and not for
/// code generators that read several tensors as one.
void spread_concatenations(Graph* graph, const Target& target);

}  // namespace torchweld
