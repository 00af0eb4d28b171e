// Recurrent cells and layers as products and pointwise gates: on a device, a layer is one product
// for the inputs of all its steps, then a product of the state and one kernel a step. Layers on the
// host: recurrent_layers.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fusion/planner.h"
#include "loader/graph.h"

namespace torchweld {

/// What an LSTM, GRU or RNN, a cell or a layer in evaluation mode, is made of; nullopt where it
/// stays with LibTorch.
///
/// Numerics  products and gates as ATen's cells, operator by operator
/// Source    ATen/native/RNN.cpp
std::optional<std::vector<Node>> recurrence_nodes(Graph* graph, const Node& node,
                                                  const Target& target);

/// Why a layer stays with LibTorch on a device that could run its steps; empty for all other nodes.
std::string why_not_unrolled(const Graph& graph, const Node& node, const Target& target);

}  // namespace torchweld
