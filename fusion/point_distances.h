// Distances between all points of two sets (cdist), on the host.
#pragma once

#include <optional>
#include <vector>

#include "loader/graph.h"

namespace torchweld {

/// Euclidean distances, f32 or f64; nullopt for other nodes. Few points are compared by the sum of
/// their squared differences; more than 25, as ATen does, by a product of matrices, which loses
/// digits of small distances: only of up to three coordinates, since then all that goes into the
/// product has ATen's bits, and with them the answer.
std::optional<std::vector<Node>> point_distances(Graph* graph, const Node& node);

}  // namespace torchweld
