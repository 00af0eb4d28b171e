// Operators on diagonals of matrices: diag, diagflat, diag_embed, diagonal_scatter, trace and
// fill_diagonal_. (aten::diagonal is a view.)
#pragma once

#include <optional>
#include <vector>

#include "fusion/indexed.h"
#include "fusion/planner.h"

namespace torchweld {

/// Matrices of one diagonal each, whose other elements are 0 (diag_embed, diag of a vector,
/// diagflat of one) or the first argument's (diagonal_scatter).
bool takes_diagonal(const Graph& graph, const Node& node);
int16_t emit_diagonal(const Graph& graph, const Node& node, IndexedKernel* kernel);

/// diag of a matrix as a copy of a view, a trace of floats as a sum; on the host, where a kernel
/// that asks each element costs more than two, those above as zeros, or a copy, and a copy into the
/// view. nullopt for other nodes, and on the host for long traces.
std::optional<std::vector<Node>> diagonal_nodes(Graph* graph, const Node& node,
                                                const Target& target);

/// fill_diagonal_ becomes a fill of the view; not where the diagonal goes on below it.
void name_diagonal_fills(Graph* graph);

}  // namespace torchweld
