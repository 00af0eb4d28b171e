// Softmax, norms and moments as reductions and pointwise operators, which then are one kernel with
// their neighbours. For devices whose code generator takes rows.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "loader/graph.h"

namespace torchweld {

/// The nodes that `node` stands for; nullopt when it is none of them, or in a form that stays with
/// LibTorch.
///
/// Numerics  halves are computed in f32 and rounded once, at the end, as ATen's kernels do. Moments
/// take two passes, the second over the distances from the mean.
std::optional<std::vector<Node>> row_nodes(Graph* graph, const Node& node);

/// Why the node's rows are no kernel where Target::float_rows is what there is; empty for nodes
/// that have no rows.
std::string why_no_float_rows(const Graph& graph, const Node& node);

}  // namespace torchweld
