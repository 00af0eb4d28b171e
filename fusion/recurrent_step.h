// One step of an LSTM, GRU or RNN as nodes: the products of its input and of its state, its gates.
// What calls for steps: recurrence.h.
#pragma once

#include <vector>

#include "fusion/rewriter.h"
#include "kernels/recurrent_gates.h"
#include "loader/graph.h"

namespace torchweld {

struct RecurrentState {
  ValueId h = kNone, c = kNone;  ///< [batch, width]; c is an LSTM's only
};

/// Of one layer in one direction. Those that it lacks are none.
struct RecurrentWeights {
  Arg input, hidden, input_bias, hidden_bias, projection;
};

/// Appends the nodes of steps, in the order of ATen's cells.
///
/// `widens`  halves are float32 between the products and the new state, as in ATen's fused cells
///           and in cuDNN's and oneDNN's layers; else each operator rounds, as in its cells on the
///           host
/// Source    ATen/native/RNN.cpp, ATen/native/cuda/RNN.cu
class RecurrentSteps {
 public:
  RecurrentSteps(Graph* graph, Gates gates, bool widens, Rewriter* rewriter)
      : graph_(*graph), gates_(gates), widens_(widens), r_(*rewriter) {}

  /// What inputs add to the gates, for as many leading dims as x has.
  ValueId of_input(ValueId x, const RecurrentWeights& w) {
    return product(x, w.input, w.input_bias);
  }

  /// The state after a step; in `out`, where that names values. A cell that `out` doesn't name
  /// stays wide.
  RecurrentState step(ValueId of_x, const RecurrentState& before, const RecurrentWeights& w,
                      const RecurrentState& out);

 private:
  ValueId product(ValueId x, const Arg& weight, const Arg& bias, ValueId out = kNone);
  struct Made {
    ValueId wide, state;  ///< the same one where the state is as wide
  };
  /// The operator's result, of the sizes and type of `shape`, and the new state that it is: in
  /// `out`, where that is one, and of the type of `before`.
  Made into(ValueId out, ValueId before, ValueId shape, const char* op, std::vector<Arg> args);
  ValueId wide(ValueId id);
  ValueId sum(ValueId a, ValueId b, ValueId shape);
  ValueId times(ValueId a, ValueId b);
  ValueId gate(ValueId of_x, ValueId of_h, int64_t index, const char* activation, ValueId shape);
  RecurrentState lstm(ValueId of_x, ValueId of_h, const RecurrentState& before,
                      const RecurrentWeights& w, const RecurrentState& out);
  ValueId gru(ValueId of_x, ValueId of_h, ValueId before, ValueId out);

  Graph& graph_;
  Gates gates_;
  bool widens_;
  Rewriter& r_;
};

}  // namespace torchweld
