#include "fusion/recurrent_layers.h"

#include <fmt/format.h>

#include <algorithm>

#include "fusion/node_args.h"
#include "fusion/recurrent_call.h"

namespace torchweld {
namespace {

bool is_constant(const Graph& graph, ValueId id) {
  return std::find(graph.constants.begin(), graph.constants.end(), id) != graph.constants.end();
}

bool has_sizes(const Graph& graph, ValueId id, const std::vector<int64_t>& sizes) {
  return id == kNone || graph.value(id).sizes == sizes;
}

ValueId id_of(const Arg& arg) { return arg.tensor() == nullptr ? kNone : arg.tensor()->id; }

x86::RecurrenceShape::Strides packed_strides_of(const Value& v) {
  return {0, v.strides[0], v.strides[1]};
}

x86::RecurrenceShape::Strides strides_of(const Value& v, bool batch_first = false) {
  return {v.strides[batch_first ? 1 : 0], v.strides[batch_first ? 0 : 1], v.strides[2]};
}

bool has_dense_columns(const Graph& graph, ValueId id) {
  return id == kNone || graph.value(id).strides.back() == 1 || graph.value(id).sizes.back() == 1;
}

/// Weights whose sizes are the shape's: LibTorch raises for others, but the kernel would read on.
bool take_weights(const Graph& graph, const RecurrentCall& from, RecurrenceCall* out) {
  const x86::RecurrenceShape& s = out->shape;
  for (const RecurrentWeights& w : from.weights) {
    const auto layer = static_cast<int64_t>(out->weights.size()) / s.directions;
    const RecurrenceCall::Weights ids{id_of(w.input), id_of(w.hidden), id_of(w.input_bias),
                                      id_of(w.hidden_bias), id_of(w.projection)};
    for (const ValueId id : {ids.input_bias, ids.hidden_bias}) {
      if (!has_sizes(graph, id, {s.sums()})) return false;
      if (id != kNone && graph.value(id).strides[0] != 1 && s.sums() != 1) return false;
    }
    if (!has_sizes(graph, ids.input, {s.sums(), s.inputs_of(layer)}) ||
        !has_sizes(graph, ids.hidden, {s.sums(), s.outputs}) ||
        !has_sizes(graph, ids.projection, {s.outputs, s.width}))
      return false;
    out->weights.push_back(ids);
  }
  return true;
}

}  // namespace

bool make_recurrence(const Graph& graph, const Node& node, RecurrenceCall* out, std::string* why) {
  const auto call = recurrent_call(graph, node);
  if (!call) return false;
  const ValueId x = tensor_arg(node, 0);
  if (graph.value(x).dtype != DType::kF32) {
    *why = "recurrent layers have a kernel for float32 alone";
    return false;
  }
  const bool packed = call->kind.packed;
  const auto& weights = node.args[packed ? 3 : 2].tensor_list()->ids;
  if (!std::all_of(weights.begin(), weights.end(),
                   [&](ValueId id) { return is_constant(graph, id); })) {
    *why = "the layer's weights are not constants";
    return false;
  }
  const RecurrentState before = recurrent_state(node);
  out->x_value = x;
  out->h_value = before.h;
  out->c_value = before.c;
  out->y_value = node.outputs[0];
  out->h_out_value = node.outputs[1];
  if (before.c != kNone) out->c_out_value = node.outputs[2];
  for (const ValueId id : {out->y_value, out->h_out_value, out->c_out_value}) {
    if (!has_dense_columns(graph, id)) return false;
  }
  x86::RecurrenceShape& s = out->shape;
  s.gates = call->kind.gates;
  s.layers = call->layers;
  s.directions = call->directions;
  s.steps = call->steps;
  s.batch = call->batch;
  s.inputs = graph.value(x).sizes.back();
  s.outputs = graph.value(before.h).sizes[2];
  s.width = graph.value(before.c == kNone ? before.h : before.c).sizes[2];
  s.projects = s.outputs != s.width;
  if (packed) {
    out->batch_sizes_value = tensor_arg(node, 1);
    s.packed_rows = graph.value(x).sizes[0];
    s.x = packed_strides_of(graph.value(x));
    s.y = packed_strides_of(graph.value(out->y_value));
  } else {
    s.x = strides_of(graph.value(x), call->batch_first);
    s.y = strides_of(graph.value(out->y_value), call->batch_first);
  }
  s.h = strides_of(graph.value(before.h));
  s.h_out = strides_of(graph.value(out->h_out_value));
  if (before.c != kNone) {
    s.c = strides_of(graph.value(before.c));
    s.c_out = strides_of(graph.value(out->c_out_value));
  }
  return take_weights(graph, *call, out);
}

std::string name_of_step(const RecurrenceCall& call) {
  const x86::RecurrenceShape& s = call.shape;
  const char* const names[] = {"lstm", "gru", "rnn_tanh", "rnn_relu"};
  std::string name = fmt::format("{}_{}x{}x{}x{}", names[static_cast<size_t>(s.gates)], s.steps,
                                 s.batch, s.inputs, s.width);
  if (s.packed_rows > 0) name += fmt::format("_packed_{}", s.packed_rows);
  if (s.layers > 1) name += fmt::format("_{}_layers", s.layers);
  return name + (s.directions == 2 ? "_both_ways" : "");
}

}  // namespace torchweld
