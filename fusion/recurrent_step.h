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

/// Appends the nodes of steps, in the order and with the roundings of ATen's cells.
///
/// Source  ATen/native/RNN.cpp
class RecurrentSteps {
 public:
  RecurrentSteps(Graph* graph, Gates gates, Rewriter* rewriter)
      : graph_(*graph), gates_(gates), r_(*rewriter) {}

  /// What inputs add to the gates, for as many leading dims as x has.
  ValueId of_input(ValueId x, const RecurrentWeights& w) {
    return product(x, w.input, w.input_bias);
  }

  /// The state after a step; in `out`, where that names values.
  RecurrentState step(ValueId of_x, const RecurrentState& before, const RecurrentWeights& w,
                      const RecurrentState& out);

 private:
  ValueId product(ValueId x, const Arg& weight, const Arg& bias, ValueId out = kNone);
  ValueId into(ValueId out, ValueId shape, const char* op, std::vector<Arg> args);
  ValueId sum(ValueId a, ValueId b, ValueId shape);
  ValueId times(ValueId a, ValueId b);
  ValueId gate(ValueId of_x, ValueId of_h, int64_t index, const char* activation, ValueId shape);
  RecurrentState lstm(ValueId of_x, ValueId of_h, const RecurrentState& before,
                      const RecurrentWeights& w, const RecurrentState& out);
  ValueId gru(ValueId of_x, ValueId of_h, ValueId h, ValueId out);

  Graph& graph_;
  Gates gates_;
  Rewriter& r_;
};

}  // namespace torchweld
