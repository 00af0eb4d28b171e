// Group norm of images whose channels are innermost.
#pragma once

#include <optional>
#include <vector>

#include "loader/graph.h"

namespace torchweld {

/// The nodes of a group norm in float32 or halves whose image and result have their channels
/// innermost: mean and squares by channel, whose rows lie side by side, put together by group, then
/// operators by element with a mean and a factor a channel. nullopt for others, for a group a
/// channel or one for all of them, whose rows are walked as they lie, and without a weight.
std::optional<std::vector<Node>> group_norm_by_channel(Graph* graph, const Node& node);

}  // namespace torchweld
