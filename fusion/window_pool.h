// Poolings that a kernel by hand computes on the host, whatever their windows.
#pragma once

#include <optional>
#include <vector>

#include "fusion/plan.h"
#include "loader/graph.h"

namespace torchweld {

/// Average and maximum pooling in one to three dims, with ceil_mode, count_include_pad and
/// divisor_override, and adaptive ones. False for other nodes and layouts, and for windows of all
/// of the image, which are rows.
bool make_window_pool(const Graph& graph, const Node& node, WindowPoolCall* out);

std::string name_of_step(const WindowPoolCall& call);

/// A pooling whose result lies otherwise than its image, as one that lies alike and a copy; nullopt
/// for others.
std::optional<std::vector<Node>> pooling_and_copy(Graph* graph, const Node& node);

/// A maximum over all of an image, whose place nobody reads, as a reduction; nullopt for others.
std::optional<std::vector<Node>> maximum_of_image(Graph* graph, const Node& node);

}  // namespace torchweld
