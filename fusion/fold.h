// col2im, which adds the windows of an image up where they lie over each other.
#pragma once

#include <optional>
#include <vector>

#include "loader/graph.h"

namespace torchweld {

/// Sums over a view. Pixels a step apart are covered by the same taps of windows, so those that
/// cover a pixel lie a step of taps and one window apart: there is no place to compute. Zeros stand
/// for taps and windows that would be missing.
///
/// nullopt for other nodes, spread windows, and what isn't of floats.
/// Numerics  of a pixel's windows those of a column are added first; halves are rounded once.
std::optional<std::vector<Node>> fold_nodes(Graph* graph, const Node& node);

}  // namespace torchweld
