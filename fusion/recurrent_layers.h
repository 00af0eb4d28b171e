// Recurrent layers on the host: all layers, directions and steps of a call as one step of the plan.
#pragma once

#include <string>

#include "fusion/plan.h"
#include "fusion/planner.h"
#include "loader/graph.h"

namespace torchweld {

/// Fills `out` (but its locations) when the node is an LSTM, GRU or RNN layer in evaluation mode,
/// of packed sequences too, float32 with constant weights. False for others, and `why` where it is
/// one all the same.
bool make_recurrence(const Graph& graph, const Node& node, RecurrenceCall* out, std::string* why);

/// "lstm_50x8x64x128_2_layers_both_ways": steps, batch, inputs, width; of packed sequences also
/// "packed_" and their rows.
std::string name_of_step(const RecurrenceCall& call);

}  // namespace torchweld
