// The walk over steps, and how it is shared out over threads.
#include "kernels/x86/recurrence.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <utility>

namespace torchweld::x86 {
namespace {

using Strides = RecurrenceShape::Strides;

/// Rows to rows, whose columns are dense; all at once where the rows are, too.
void move_rows(const float* from, int64_t from_stride, int64_t rows, int64_t columns, float* to,
               int64_t to_stride) {
  if (from_stride == columns && to_stride == columns) {
    columns *= rows;
    rows = 1;
  }
  for (int64_t r = 0; r < rows; ++r, from += from_stride, to += to_stride)
    std::memcpy(to, from, static_cast<size_t>(columns) * sizeof(float));
}

void copy_rows(const float* from, const Strides& strides, int64_t rows, int64_t columns,
               float* to) {
  if (strides.column == 1) return move_rows(from, strides.row, rows, columns, to, columns);
  for (int64_t r = 0; r < rows; ++r, from += strides.row)
    for (int64_t i = 0; i < columns; ++i) *to++ = from[i * strides.column];
}

/// A state where it lies, if row after row, or else a copy of it at `own`.
float* dense_state(float* state, const Strides& strides, int64_t rows, int64_t columns,
                   float* own) {
  if (strides.column == 1 && (rows == 1 || strides.row == columns)) return state;
  copy_rows(state, strides, rows, columns, own);
  return own;
}

void store_rows(const float* from, int64_t rows, int64_t columns, float* to, int64_t row_stride) {
  move_rows(from, columns, rows, columns, to, row_stride);
}

}  // namespace

int64_t RecurrenceShape::chunk_steps() const {
  // The sums of a chunk wait in the second cache, and fewer rows would not repay reading the
  // weights.
  constexpr int64_t kFloats = 1 << 16, kFewestRows = 64;
  const int64_t fewest = (kFewestRows + batch - 1) / batch;
  return std::min(steps, std::max(fewest, kFloats / (batch * sums())));
}

int64_t RecurrenceShape::floats_a_row() const {
  const int64_t inputs_of_one = std::max(inputs_of(0), layers > 1 ? inputs_of(1) : 0);
  const int64_t floats = outputs + 2 * width + sums() + chunk_steps() * (sums() + inputs_of_one);
  return (floats + 15) / 16 * 16;
}

int64_t RecurrenceShape::scratch_floats() const {
  const int64_t between = std::min<int64_t>(layers - 1, 2);
  return directions * batch * (floats_a_row() + between * steps * outputs);
}

/// Of the rows of a sequence, row after row; c is an LSTM's.
struct Recurrence::State {
  float *h = nullptr, *c = nullptr;
};

/// A layer between the memory of others.
struct Recurrence::Layer {
  int64_t index = 0;
  const float* x = nullptr;
  Strides x_strides;
  float* y = nullptr;
  Strides y_strides;
};

/// Rows of the batch in one direction of a layer, and what they keep to themselves.
struct Recurrence::Sequence {
  const RecurrentLayer* weights = nullptr;
  bool backwards = false;
  int64_t rows = 0;
  RecurrenceOperands at;  ///< the first row's
  Strides x_strides, y_strides;
  float *h = nullptr, *c = nullptr, *unprojected = nullptr, *sums = nullptr;
  float* of_x = nullptr;     ///< of a chunk of steps
  float* chunk_x = nullptr;  ///< its inputs, where they don't lie row after row

  void take(const RecurrenceShape& s, int64_t chunk_steps, float* scratch) {
    h = scratch;
    c = h + rows * s.outputs;
    unprojected = c + rows * s.width;
    sums = unprojected + rows * s.width;
    of_x = sums + rows * s.sums();
    chunk_x = of_x + chunk_steps * rows * s.sums();
  }

  /// The states that the call gives and takes, where they lie if they can be used there. A launch
  /// wants pointers to what it only reads like those to the rest.
  State first_state(const RecurrenceShape& s) const {
    const auto in = [&](const float* state, const Strides& strides, int64_t columns, float* own) {
      return dense_state(const_cast<float*>(state), strides, rows, columns, own);
    };
    return {in(at.h, s.h, s.outputs, h), at.c == nullptr ? nullptr : in(at.c, s.c, s.width, c)};
  }
  State end_state(const RecurrenceShape& s) const {
    const auto is_dense = [&](const Strides& strides, int64_t columns) {
      return rows == 1 || strides.row == columns;
    };
    return {is_dense(s.h_out, s.outputs) ? at.h_out : h,
            at.c_out == nullptr || is_dense(s.c_out, s.width) ? at.c_out : c};
  }

  MatmulCall product_of_inputs(const float* x, int64_t row_stride, int64_t count) const {
    MatmulCall call;
    call.set(weights->input);
    call.bias = weights->input_bias;
    call.m = count;
    call.x = x;
    call.x_row_stride = row_stride;
    call.out = of_x;
    call.out_row_stride = call.n;
    return call;
  }

  /// What the inputs of steps [begin, end) add to the gates: a row of sums a step and row.
  void multiply_inputs(int64_t begin, int64_t end, const SplitWork& parallel) const {
    const float* const x = at.x + begin * x_strides.outer;
    const int64_t inputs = weights->input.k, steps = end - begin;
    MatmulCall call =
        product_of_inputs(x, rows == 1 ? x_strides.outer : x_strides.row, steps * rows);
    const bool is_one_walk = rows == 1 || steps == 1 || x_strides.outer == rows * x_strides.row;
    if (x_strides.column != 1 || !is_one_walk) {
      for (int64_t t = 0; t < steps; ++t)
        copy_rows(x + t * x_strides.outer, x_strides, rows, inputs, chunk_x + t * rows * inputs);
      call.x = chunk_x;
      call.x_row_stride = inputs;
    }
    matmul(call, parallel);
  }

  /// The same of packed rows.
  void multiply_packed(int64_t begin, int64_t end, const SplitWork& parallel) const {
    const float* const x = at.x + begin * x_strides.row;
    MatmulCall call = product_of_inputs(x, x_strides.row, end - begin);
    if (x_strides.column != 1) {
      copy_rows(x, x_strides, end - begin, call.k, chunk_x);
      call.x = chunk_x;
      call.x_row_stride = call.k;
    }
    matmul(call, parallel);
  }

  /// What a state adds to them, on top of `summand`.
  MatmulCall product_of_state() const {
    MatmulCall call;
    call.set(weights->hidden);
    call.bias = weights->hidden_bias;
    call.m = rows;
    call.x_row_stride = call.k;
    call.out = sums;
    call.summand_row_stride = call.out_row_stride = call.n;
    return call;
  }

  MatmulCall projection(float* projected, int64_t count) const {
    MatmulCall call;
    call.set(weights->projection);
    call.m = count;
    call.x = unprojected;
    call.x_row_stride = call.k;
    call.out = projected;
    call.out_row_stride = call.n;
    return call;
  }
};

bool are_batch_sizes(const RecurrenceShape& shape, const int64_t* batch_sizes) {
  int64_t rows = 0, most = shape.batch;
  for (int64_t t = 0; t < shape.steps; ++t) {
    if (batch_sizes[t] < 1 || batch_sizes[t] > most) return false;
    most = batch_sizes[t];
    rows += most;
  }
  return rows == shape.packed_rows && shape.steps > 0 && batch_sizes[0] == shape.batch;
}

Recurrence::Recurrence(const RecurrenceShape& shape, std::vector<RecurrentLayer> layers,
                       std::shared_ptr<const Kernel> gates)
    : shape_(shape),
      layers_(std::move(layers)),
      gates_(std::move(gates)),
      whole_batch_(recurrent_geometry(shape.gates, shape.batch, shape.width)),
      chunk_steps_(shape.chunk_steps()),
      floats_a_row_(shape.floats_a_row()) {}

void Recurrence::run(const RecurrenceOperands& operands, float* scratch,
                     const SplitWork& parallel) const {
  const RecurrenceShape& s = shape_;
  const Strides dense{s.batch * s.directions * s.outputs, s.directions * s.outputs};
  float* between[2];
  between[0] = scratch + s.directions * s.batch * floats_a_row_;
  between[1] = between[0] + s.steps * dense.outer;
  Layer layer{0, operands.x, s.x};
  for (; layer.index < s.layers; ++layer.index) {
    const bool is_last = layer.index + 1 == s.layers;
    layer.y = is_last ? operands.y : between[layer.index % 2];
    layer.y_strides = is_last ? s.y : dense;
    run_layer(layer, operands, scratch, parallel);
    layer.x = layer.y;
    layer.x_strides = dense;
  }
}

void Recurrence::run_layer(const Layer& layer, const RecurrenceOperands& operands, float* scratch,
                           const SplitWork& parallel) const {
  const RecurrenceShape& s = shape_;
  const auto run_rows = [&](int64_t direction, int64_t first_row, int64_t rows) {
    Sequence part = part_of(layer, operands, direction, first_row, rows);
    part.take(s, chunk_steps_, scratch + (direction * s.batch + first_row) * floats_a_row_);
    s.packed_rows > 0 ? walk_packed(part, parallel) : walk(part, parallel);
  };
  // Products of fewer rows are bound by the weights, whatever their number:
  // there is nothing to gain by halves of them.
  constexpr int64_t kFewestRows = 4;
  const int64_t units = s.directions * s.batch;
  const int64_t cycles = s.steps * s.sums() * (s.inputs_of(layer.index) + s.outputs) / 16 + 1;
  const int64_t grain = grain_cycles();
  const bool is_packed = s.packed_rows > 0;
  const bool is_one_piece = s.directions == 1 && (is_packed || s.batch < 2 * kFewestRows);
  if (!parallel || is_one_piece || units * cycles < 2 * grain) {
    for (int64_t d = 0; d < s.directions; ++d) run_rows(d, 0, s.batch);
    return;
  }
  const auto work = [&](int64_t begin, int64_t end) {
    for (int64_t unit = begin, rows = 0; unit < end; unit += rows) {
      const int64_t row = unit % s.batch;
      rows = std::min(s.batch - row, end - unit);
      run_rows(unit / s.batch, row, rows);
    }
  };
  if (is_packed) {
    const auto one_way = [&](int64_t begin, int64_t end) {
      for (int64_t d = begin; d < end; ++d) run_rows(d, 0, s.batch);
    };
    return parallel(s.directions, 1, std::ref(one_way));
  }
  // By reference, since a std::function of its own would allocate.
  parallel(units, std::max(std::min(s.batch, kFewestRows), grain / cycles), std::ref(work));
}

Recurrence::Sequence Recurrence::part_of(const Layer& layer, const RecurrenceOperands& operands,
                                         int64_t direction, int64_t first_row, int64_t rows) const {
  const RecurrenceShape& s = shape_;
  const int64_t index = layer.index * s.directions + direction;
  const auto state = [&](auto* at, const Strides& strides) {
    return at == nullptr ? at : at + index * strides.outer + first_row * strides.row;
  };
  Sequence part;
  part.weights = &layers_[static_cast<size_t>(index)];
  part.backwards = direction == 1;
  part.rows = rows;
  part.x_strides = layer.x_strides;
  part.y_strides = layer.y_strides;
  part.at.x = layer.x + first_row * layer.x_strides.row;
  part.at.y = layer.y + first_row * layer.y_strides.row + direction * s.outputs;
  part.at.h = state(operands.h, s.h);
  part.at.c = state(operands.c, s.c);
  part.at.h_out = state(operands.h_out, s.h_out);
  part.at.c_out = state(operands.c_out, s.c_out);
  part.at.batch_sizes = operands.batch_sizes;
  return part;
}

void Recurrence::walk(const Sequence& q, const SplitWork& parallel) const {
  const RecurrenceShape& s = shape_;
  const bool is_whole = q.rows == s.batch;
  const Geometry part = is_whole ? Geometry{} : recurrent_geometry(s.gates, q.rows, s.width);
  const int64_t chunk = chunk_steps_;
  State before = q.first_state(s);
  const State end = q.end_state(s);
  MatmulCall of_h = q.product_of_state();
  int64_t begin = 0;  // of the chunk
  for (int64_t i = 0; i < s.steps; ++i) {
    const int64_t t = q.backwards ? s.steps - 1 - i : i;
    if (i % chunk == 0) {
      const int64_t steps = std::min(chunk, s.steps - i);
      begin = q.backwards ? t + 1 - steps : t;
      q.multiply_inputs(begin, begin + steps, parallel);
    }
    float* const of_x = q.of_x + (t - begin) * q.rows * s.sums();
    if (s.gates != Gates::kGru) of_h.summand = of_x;
    of_h.x = before.h;
    matmul(of_h, parallel);
    const State after = i + 1 == s.steps ? end : State{q.h, q.c};
    run_gates(q, is_whole ? whole_batch_ : part, of_x, before, after);
    if (s.projects) matmul(q.projection(after.h, q.rows), parallel);
    store_rows(after.h, q.rows, s.outputs, q.at.y + t * q.y_strides.outer, q.y_strides.row);
    before = after;
  }
  if (end.h != q.at.h_out) store_rows(end.h, q.rows, s.outputs, q.at.h_out, s.h_out.row);
  if (end.c != q.at.c_out) store_rows(end.c, q.rows, s.width, q.at.c_out, s.c_out.row);
}

/// The state of all rows is in one place: those whose sequence has ended, or backwards not yet
/// begun, stay as they are.
void Recurrence::walk_packed(const Sequence& q, const SplitWork& parallel) const {
  const RecurrenceShape& s = shape_;
  const int64_t most = chunk_steps_ * s.batch;  // rows whose inputs are multiplied at once
  const State state{q.h, q.c};
  copy_rows(q.at.h, s.h, s.batch, s.outputs, q.h);
  if (q.at.c != nullptr) copy_rows(q.at.c, s.c, s.batch, s.width, q.c);
  MatmulCall of_h = q.product_of_state();
  of_h.x = q.h;
  Geometry geometry = whole_batch_;
  int64_t rows = s.batch, first = q.backwards ? s.packed_rows : 0;  // of the step
  int64_t begin = 0, end = 0;                                       // of what is multiplied
  for (int64_t i = 0; i < s.steps; ++i) {
    const int64_t now = q.at.batch_sizes[q.backwards ? s.steps - 1 - i : i];
    if (q.backwards) first -= now;
    if (now != rows || i == 0) {
      rows = of_h.m = now;
      geometry = recurrent_geometry(s.gates, rows, s.width);
    }
    if (first < begin || first + rows > end) {
      begin = q.backwards ? std::max<int64_t>(first + rows - most, 0) : first;
      end = std::min(begin + most, s.packed_rows);
      q.multiply_packed(begin, end, parallel);
    }
    float* const of_x = q.of_x + (first - begin) * s.sums();
    if (s.gates != Gates::kGru) of_h.summand = of_x;
    matmul(of_h, parallel);
    run_gates(q, geometry, of_x, state, state);
    if (s.projects) matmul(q.projection(q.h, rows), parallel);
    store_rows(q.h, rows, s.outputs, q.at.y + first * q.y_strides.row, q.y_strides.row);
    if (!q.backwards) first += rows;
  }
  store_rows(q.h, s.batch, s.outputs, q.at.h_out, s.h_out.row);
  if (q.at.c_out != nullptr) store_rows(q.c, s.batch, s.width, q.at.c_out, s.c_out.row);
}

/// In the order of recurrent_gates()' operands.
void Recurrence::run_gates(const Sequence& q, const Geometry& geometry, float* of_x,
                           const State& before, const State& after) const {
  const RecurrenceShape& s = shape_;
  std::array<void*, 8> operands;
  auto next = operands.begin();
  const auto add_blocks = [&](float* sums) {
    for (int64_t at = 0; at < s.sums(); at += s.width) *next++ = sums + at;
  };
  if (s.gates == Gates::kGru) add_blocks(of_x);
  add_blocks(q.sums);
  if (s.gates == Gates::kGru) *next++ = before.h;
  if (s.gates == Gates::kLstm) {
    *next++ = before.c;
    *next++ = after.c;
  }
  *next++ = s.projects ? q.unprojected : after.h;
  gates_->launch(geometry, operands.data(), LaunchSite{});
}

}  // namespace torchweld::x86
