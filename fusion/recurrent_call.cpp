#include "fusion/recurrent_call.h"

#include <map>
#include <string>

#include "fusion/node_args.h"

namespace torchweld {
namespace {

/// Operands and results, but `batch_sizes`, are plain tensors of one floating dtype, the input of
/// this rank.
bool is_plain(const Graph& graph, const Node& node, size_t arguments, size_t rank,
              ValueId batch_sizes = kNone) {
  const ValueId x = tensor_arg(node, 0);
  if (x == kNone || node.args.size() != arguments || !node.writes.empty()) return false;
  const Value& v = graph.value(x);
  bool plain = v.sizes.size() == rank && is_floating(v.dtype) && recurrent_state(node).h != kNone;
  const auto look = [&](ValueId id) {
    const Value& other = graph.value(id);
    plain &= !other.opaque && other.dtype == v.dtype && other.elements() > 0;
  };
  for_each_input(node, [&](ValueId id) {
    if (id != batch_sizes) look(id);
  });
  for (const ValueId id : node.outputs) {
    if (id == kNone || graph.storage_of(id).kind != Storage::Kind::kLocal) return false;
    look(id);
  }
  return plain;
}

bool is_list_of_sizes(const Value& v) {
  return !v.opaque && v.dtype == DType::kI64 && v.sizes.size() == 1 &&
         (v.strides[0] == 1 || v.sizes[0] == 1);
}

/// Whether the state and the weights are as large as the layers are many; oneDNN doesn't ask.
bool fits(const Graph& graph, const RecurrentCall& call, const RecurrentState& state) {
  for (const ValueId id : {state.h, state.c}) {
    if (id == kNone) continue;
    const std::vector<int64_t>& sizes = graph.value(id).sizes;
    if (sizes.size() != 3 || sizes[0] != call.layers * call.directions || sizes[1] != call.batch)
      return false;
  }
  const int64_t width = graph.value(state.c == kNone ? state.h : state.c).sizes[2];
  for (const RecurrentWeights& w : call.weights) {
    for (const Arg* arg : {&w.input, &w.hidden}) {
      const std::vector<int64_t>& sizes = graph.value(arg->tensor()->id).sizes;
      if (sizes.size() != 2 || sizes[0] != count_of(call.kind.gates) * width) return false;
    }
  }
  return true;
}

}  // namespace

const RecurrentKind* recurrent_kind(const Node& node) {
  static const std::map<std::string, RecurrentKind> kinds = {
      {"aten::lstm_cell", {Gates::kLstm, 15, true}},
      {"aten::gru_cell", {Gates::kGru, 12, true}},
      {"aten::rnn_tanh_cell", {Gates::kTanh, 4, true}},
      {"aten::rnn_relu_cell", {Gates::kRelu, 4, true}},
      {"aten::lstm.input", {Gates::kLstm, 15}},
      {"aten::gru.input", {Gates::kGru, 12}},
      {"aten::rnn_tanh.input", {Gates::kTanh, 4}},
      {"aten::rnn_relu.input", {Gates::kRelu, 4}},
      {"aten::lstm.data", {Gates::kLstm, 15, false, true}},
      {"aten::gru.data", {Gates::kGru, 12, false, true}},
      {"aten::rnn_tanh.data", {Gates::kTanh, 4, false, true}},
      {"aten::rnn_relu.data", {Gates::kRelu, 4, false, true}},
  };
  const auto it = kinds.find(node.op);
  return it == kinds.end() ? nullptr : &it->second;
}

RecurrentState recurrent_state(const Node& node) {
  const RecurrentKind* kind = recurrent_kind(node);
  const size_t at = kind != nullptr && kind->packed ? 2 : 1;
  const auto* both = node.args[at].tensor_list();
  if (both == nullptr) return {tensor_arg(node, at)};
  return both->ids.size() == 2 ? RecurrentState{both->ids[0], both->ids[1]} : RecurrentState{};
}

bool is_plain_cell(const Graph& graph, const Node& node) { return is_plain(graph, node, 6, 2); }

std::optional<RecurrentCall> recurrent_call(const Graph& graph, const Node& node) {
  const RecurrentKind* kind = recurrent_kind(node);
  if (kind == nullptr || kind->is_cell) return std::nullopt;
  const size_t moved = kind->packed ? 1 : 0;  // the arguments behind the sizes of batches
  const ValueId batch_sizes = kind->packed ? tensor_arg(node, 1) : kNone;
  if (!is_plain(graph, node, 9, 3 - moved, batch_sizes)) return std::nullopt;
  const auto* params = node.args[2 + moved].tensor_list();
  const bool drops = flag_arg(node, 6 + moved) && number_arg(node, 5 + moved) != 0.0;
  if (params == nullptr || drops) return std::nullopt;
  RecurrentCall call{*kind};
  call.layers = int_arg(node, 4 + moved).value_or(0);
  call.directions = flag_arg(node, 7 + moved) ? 2 : 1;
  const std::vector<int64_t>& sizes = graph.value(tensor_arg(node, 0)).sizes;
  if (kind->packed) {
    const std::vector<int64_t>& of_state = graph.value(recurrent_state(node).h).sizes;
    if (batch_sizes == kNone || !is_list_of_sizes(graph.value(batch_sizes)) || of_state.size() != 3)
      return std::nullopt;
    call.steps = graph.value(batch_sizes).sizes[0];
    call.batch = of_state[1];
  } else {
    call.batch_first = flag_arg(node, 8);
    call.steps = sizes[call.batch_first ? 1 : 0];
    call.batch = sizes[call.batch_first ? 0 : 1];
  }
  const RecurrentState state = recurrent_state(node);
  const bool biased = flag_arg(node, 3 + moved);
  const bool projected =
      state.c != kNone && graph.value(state.h).sizes.back() != graph.value(state.c).sizes.back();
  const size_t each = 2 + (biased ? 2 : 0) + (projected ? 1 : 0);
  if (params->ids.size() != static_cast<size_t>(call.layers * call.directions) * each)
    return std::nullopt;
  for (auto id = params->ids.begin(); id != params->ids.end(); id += each) {
    const auto at = [&](bool there, size_t k) { return there ? tensor(id[k]) : Arg{}; };
    call.weights.push_back(
        {tensor(id[0]), tensor(id[1]), at(biased, 2), at(biased, 3), at(projected, each - 1)});
  }
  return fits(graph, call, state) ? std::optional(call) : std::nullopt;
}

}  // namespace torchweld
