// Resizes of images and volumes of float32 as steps by hand on the host.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fusion/plan.h"
#include "fusion/planner.h"
#include "loader/graph.h"

namespace torchweld {

/// Whether the kernel takes the node, its image and result as they lie: both with their pixels side
/// by side or both with their channels so, rows and layers equally far apart.
bool is_resize_by_hand(const Graph& graph, const Node& node, const Target& target);

/// Whether it takes it when image and result have their channels innermost.
bool resizes_channels_last(const Graph& graph, const Node& node);

/// Fills `out` (but its locations) when the first of `nodes` is such a resize and the others, each
/// the only reader of the one before, are what its kernel does afterwards.
bool make_resize(const Graph& graph, const std::vector<NodeId>& nodes, const Target& target,
                 ResizeCall* out);

/// A resize of an image with its channels innermost to a result with its pixels so: one between
/// images that lie alike and a copy of the smaller of them. Nullopt for others.
std::optional<std::vector<Node>> resize_and_copy(Graph* graph, const Node& node);

/// Makes the node the resize's next and last operation. False, and nothing changed, where its
/// kernel has no such operation.
bool add_epilogue(const Graph& graph, const Node& node, ResizeCall* resize);

std::string name_of_step(const ResizeCall& call);

}  // namespace torchweld
