// What a node of LibTorch's recurrent operators asks for: cells, and layers in evaluation mode.
#pragma once

#include <optional>
#include <vector>

#include "fusion/recurrent_step.h"
#include "loader/graph.h"

namespace torchweld {

struct RecurrentKind {
  Gates gates;
  int64_t step_nodes;    ///< that one step of a layer becomes
  bool is_cell = false;  ///< one step, whose state is the result
  bool packed = false;   ///< layers of sequences that end one by one
};

/// Null for all other operators.
const RecurrentKind* recurrent_kind(const Node& node);

/// Argument 1, of packed layers 2: h alone, or [h, c].
RecurrentState recurrent_state(const Node& node);

/// Whether a cell's operands and results are plain tensors of one floating dtype.
bool is_plain_cell(const Graph& graph, const Node& node);

/// A call of layers. Packed ones have `steps` sizes of batches, of which `batch` is the first and
/// largest.
struct RecurrentCall {
  RecurrentKind kind;
  std::vector<RecurrentWeights> weights;  ///< by layer, then by direction
  int64_t layers = 0, directions = 1, steps = 0, batch = 0;
  bool batch_first = false;

  int64_t nodes() const { return layers * directions * steps * kind.step_nodes; }
};

/// The call of a node whose operands fit each other and have one floating dtype; nullopt for others
/// and for dropout in training.
std::optional<RecurrentCall> recurrent_call(const Graph& graph, const Node& node);

}  // namespace torchweld
