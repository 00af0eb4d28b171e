// Whole sequences through recurrent layers, f32, by hand: the products of the inputs of many steps
// at once, then a product of the state and one kernel for the gates a step.
// What it is not: cells, which are plain products and kernels.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/kernel.h"
#include "kernels/recurrent_gates.h"
#include "kernels/x86/matmul.h"

namespace torchweld::x86 {

/// Layers of an LSTM, GRU or RNN.
///
/// Shapes   x [steps, batch, inputs]; h and h_out [layers * directions, batch, outputs]; c and
/// c_out
///          the same with `width`; y [steps, batch, directions * outputs]. Packed, of sequences
///          that end one by one: x [packed_rows, inputs], y [packed_rows, directions * outputs].
/// Strides  elements, one a dim; the columns of what is made are dense.
struct RecurrenceShape {
  Gates gates = Gates::kLstm;
  int64_t layers = 1, directions = 1, steps = 0, batch = 0;
  int64_t inputs = 0, width = 0;
  int64_t packed_rows = 0;  ///< of all steps together; 0: all of `batch` rows
  int64_t outputs = 0;      ///< `width`, unless the state is projected
  bool projects = false;    ///< kLstm: h is the projection of what the gates give
  struct Strides {
    int64_t outer = 0, row = 0, column = 1;
  };
  Strides x, h, c, y, h_out, c_out;

  int64_t sums() const { return count_of(gates) * width; }  ///< of the gates of one row
  int64_t inputs_of(int64_t layer) const { return layer == 0 ? inputs : directions * outputs; }
  int64_t chunk_steps() const;     ///< whose inputs are multiplied at once
  int64_t floats_a_row() const;    ///< scratch of one row of the batch in one direction
  int64_t scratch_floats() const;  ///< what a run needs
};

/// Of one layer in one direction.
struct RecurrentLayer {
  PackedMatrix input, hidden;  ///< [inputs, sums], [outputs, sums]
  PackedMatrix projection;     ///< [width, outputs]; no data where there is none
  const float *input_bias = nullptr, *hidden_bias = nullptr;  ///< null: none
};

/// Memory of one call; c is an LSTM's.
struct RecurrenceOperands {
  const float *x = nullptr, *h = nullptr, *c = nullptr;
  float *y = nullptr, *h_out = nullptr, *c_out = nullptr;
  const int64_t* batch_sizes = nullptr;  ///< packed: rows of each step, see are_batch_sizes()
};

/// Whether these are the rows of the steps of a packed call: all of the batch first, never more
/// than before, as many in all as there are.
bool are_batch_sizes(const RecurrenceShape& shape, const int64_t* batch_sizes);

/// The layers of one shape with their weights. Immutable; runs from any thread.
///
/// Memory   weights and biases are the caller's; `scratch` holds scratch_floats(). A run on one
///          thread allocates nothing, of packed sequences a few words where a batch shrinks.
/// Threads  directions and rows of the batch are walked side by side where that pays, of packed
///          sequences directions alone; otherwise the products are split.
/// Numerics products as matmul's, gates as recurrent_gates(). Rows of the batch don't meet.
class Recurrence {
 public:
  /// `layers`: by layer, then by direction; `gates`: the compiled recurrent_gates().
  Recurrence(const RecurrenceShape& shape, std::vector<RecurrentLayer> layers,
             std::shared_ptr<const Kernel> gates);

  void run(const RecurrenceOperands& operands, float* scratch, const SplitWork& parallel) const;

 private:
  struct State;
  struct Layer;
  struct Sequence;
  void run_layer(const Layer& layer, const RecurrenceOperands& operands, float* scratch,
                 const SplitWork& parallel) const;
  Sequence part_of(const Layer& layer, const RecurrenceOperands& operands, int64_t direction,
                   int64_t first_row, int64_t rows) const;
  void walk(const Sequence& sequence, const SplitWork& parallel) const;
  void walk_packed(const Sequence& sequence, const SplitWork& parallel) const;
  void run_gates(const Sequence& sequence, const Geometry& geometry, float* of_x,
                 const State& before, const State& after) const;

  RecurrenceShape shape_;
  std::vector<RecurrentLayer> layers_;
  std::shared_ptr<const Kernel> gates_;
  Geometry whole_batch_;
  int64_t chunk_steps_, floats_a_row_;  // of the shape, whose divisions a short call would feel
};

}  // namespace torchweld::x86
