// Operators that are a copy between two views: shuffles of pixels and of channels, repeats.
#pragma once

#include <optional>
#include <vector>

#include "loader/graph.h"

namespace torchweld {

/// pixel_shuffle, pixel_unshuffle and channel_shuffle; nullopt for other nodes, and for results
/// that don't fill their memory.
std::optional<std::vector<Node>> shuffle_nodes(Graph* graph, const Node& node);

/// repeat, tile, and repeat_interleave of a dim by a number. A kernel of its own, unless dims of
/// one element are repeated, which walks memory as it lies; where kernels take places in their
/// stride, one that is part of its neighbours' (moves.h) does better.
std::optional<std::vector<Node>> repeat_nodes(Graph* graph, const Node& node);

}  // namespace torchweld
