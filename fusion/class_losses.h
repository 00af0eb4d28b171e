// Losses whose targets name classes, or give each a probability, as pointwise operators, reductions
// and reads of the named classes.
#pragma once

#include <optional>
#include <vector>

#include "fusion/planner.h"
#include "loader/graph.h"

namespace torchweld {

/// The nodes that cross_entropy_loss, nll_loss and, on the host, multi_margin_loss stand for;
/// nullopt for other nodes, inputs that aren't f32 or f64, and targets that are neither int64 nor
/// of the input's dtype and sizes. On the host many short rows stay with LibTorch, which is faster
/// there.
///
/// Numerics  ATen's formulas, with one division where ATen divides each of two sums.
/// Throws    on the host a step raises an error where a target names no class, as LibTorch does.
std::optional<std::vector<Node>> class_loss_nodes(Graph* graph, const Node& node,
                                                  const Target& target);

}  // namespace torchweld
