#include "fusion/recurrence.h"

#include <fmt/format.h>

#include <map>

#include "fusion/node_args.h"
#include "fusion/recurrent_step.h"

namespace torchweld {
namespace {

constexpr int64_t kMostNodes = 4096;  // planned in 0.2 s; the time grows with the square

struct Kind {
  Gates gates;
  int64_t blocks;        ///< of the weights' rows, one a gate
  int64_t step_nodes;    ///< that one step of a layer becomes
  bool is_cell = false;  ///< one step, whose state is the result
};

const Kind* find_kind(const std::string& op) {
  static const std::map<std::string, Kind> kinds = {
      {"aten::lstm_cell", {Gates::kLstm, 4, 15, true}},
      {"aten::gru_cell", {Gates::kGru, 3, 12, true}},
      {"aten::rnn_tanh_cell", {Gates::kTanh, 1, 4, true}},
      {"aten::rnn_relu_cell", {Gates::kRelu, 1, 4, true}},
      {"aten::lstm.input", {Gates::kLstm, 4, 15}},
      {"aten::gru.input", {Gates::kGru, 3, 12}},
      {"aten::rnn_tanh.input", {Gates::kTanh, 1, 4}},
      {"aten::rnn_relu.input", {Gates::kRelu, 1, 4}},
  };
  const auto it = kinds.find(op);
  return it == kinds.end() ? nullptr : &it->second;
}

/// Argument 1: h alone, or [h, c].
RecurrentState state_of(const Node& node) {
  const auto* both = node.args[1].tensor_list();
  if (both == nullptr) return {tensor_arg(node, 1)};
  return both->ids.size() == 2 ? RecurrentState{both->ids[0], both->ids[1]} : RecurrentState{};
}

/// Operands and results are plain tensors of one floating dtype, the input of this rank.
bool is_plain(const Graph& graph, const Node& node, size_t arguments, size_t rank) {
  const ValueId x = tensor_arg(node, 0);
  if (x == kNone || node.args.size() != arguments || !node.writes.empty()) return false;
  const Value& v = graph.value(x);
  bool plain = v.sizes.size() == rank && is_floating(v.dtype) && state_of(node).h != kNone;
  const auto look = [&](ValueId id) {
    const Value& other = graph.value(id);
    plain &= !other.opaque && other.dtype == v.dtype && other.elements() > 0;
  };
  for_each_input(node, look);
  for (const ValueId id : node.outputs) {
    if (id == kNone || graph.storage_of(id).kind != Storage::Kind::kLocal) return false;
    look(id);
  }
  return plain;
}

std::vector<Node> cell_nodes(Graph* graph, const Node& node, const Kind& kind) {
  Rewriter r(graph, node);
  RecurrentSteps steps(graph, kind.gates, &r);
  const RecurrentWeights w{node.args[2], node.args[3], node.args[4], node.args[5], {}};
  RecurrentState out{node.outputs[0]};
  if (kind.gates == Gates::kLstm) out.c = node.outputs[1];
  steps.step(steps.of_input(tensor_arg(node, 0), w), state_of(node), w, out);
  return r.take();
}

/// A call of layers.
struct Call {
  Kind kind;
  std::vector<RecurrentWeights> weights;  ///< by layer, then by direction
  int64_t layers = 0, directions = 1, steps = 0, batch = 0;
  bool batch_first = false;

  int64_t nodes() const { return layers * directions * steps * kind.step_nodes; }
};

/// Whether the state and the weights are as large as the layers are many; oneDNN doesn't ask.
bool fits(const Graph& graph, const Call& call, const RecurrentState& state) {
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
      if (sizes.size() != 2 || sizes[0] != call.kind.blocks * width) return false;
    }
  }
  return true;
}

std::optional<Call> call_of(const Graph& graph, const Node& node, const Kind& kind) {
  if (!is_plain(graph, node, 9, 3)) return std::nullopt;
  const auto* params = node.args[2].tensor_list();
  const bool drops = flag_arg(node, 6) && number_arg(node, 5) != 0.0;
  if (params == nullptr || drops) return std::nullopt;
  Call call{kind};
  call.layers = int_arg(node, 4).value_or(0);
  call.directions = flag_arg(node, 7) ? 2 : 1;
  call.batch_first = flag_arg(node, 8);
  const std::vector<int64_t>& sizes = graph.value(tensor_arg(node, 0)).sizes;
  call.steps = sizes[call.batch_first ? 1 : 0];
  call.batch = sizes[call.batch_first ? 0 : 1];
  const RecurrentState state = state_of(node);
  const bool biased = flag_arg(node, 3);
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

class Layers {
 public:
  Layers(Graph* graph, const Node& node, const Call& call)
      : graph_(*graph),
        node_(node),
        call_(call),
        end_{node.outputs[1], node.outputs.size() > 2 ? node.outputs[2] : kNone},
        r_(graph, node),
        steps_(graph, call.kind.gates, &r_) {}

  std::vector<Node> run() {
    ValueId x = time_major(tensor_arg(node_, 0));
    const ValueId result = time_major(node_.outputs[0]);
    for (int64_t layer = 0; layer < call_.layers; ++layer) {
      const Value& shape = graph_.value(result);
      const bool last = layer + 1 == call_.layers;
      const ValueId y = last ? result : r_.fresh(shape.dtype, shape.sizes);
      for (int64_t d = 0; d < call_.directions; ++d) add(layer * call_.directions + d, d, x, y);
      x = y;
    }
    return r_.take();
  }

 private:
  ValueId time_major(ValueId id) { return call_.batch_first ? r_.transposed(id, 0, 1) : id; }

  /// One product, whose rows are those of x in the order that they have in memory.
  ValueId of_inputs(ValueId x, const RecurrentWeights& w) {
    const Value& v = graph_.value(x);
    if (v.strides[0] >= v.strides[1]) return steps_.of_input(x, w);
    return r_.transposed(steps_.of_input(r_.transposed(x, 0, 1), w), 0, 1);
  }

  /// A layer in one direction, from x to its columns of y.
  void add(int64_t index, int64_t direction, ValueId x, ValueId y) {
    const RecurrentWeights& w = call_.weights[static_cast<size_t>(index)];
    const ValueId of_x = of_inputs(x, w);
    const auto part = [&](const RecurrentState& all) {
      return RecurrentState{r_.select(all.h, index),
                            all.c == kNone ? kNone : r_.select(all.c, index)};
    };
    RecurrentState state = part(state_of(node_));
    const RecurrentState end = part(end_);
    // What others make as well can only be copied into: nodes know their order by storages.
    const bool is_end_alone = call_.layers * call_.directions == 1;
    const int64_t width = graph_.value(state.h).sizes[1];
    for (int64_t i = 0; i < call_.steps; ++i) {
      const int64_t t = direction == 0 ? i : call_.steps - 1 - i;
      const bool makes_end = is_end_alone && i + 1 == call_.steps;
      state = steps_.step(r_.select(of_x, t), state, w, makes_end ? end : RecurrentState{});
      r_.store(state.h, r_.columns(r_.select(y, t), direction * width, width));
    }
    if (is_end_alone) return;
    r_.store(state.h, end.h);
    if (state.c != kNone) r_.store(state.c, end.c);
  }

  Graph& graph_;
  const Node& node_;
  const Call& call_;
  RecurrentState end_;  ///< of all layers and directions
  Rewriter r_;
  RecurrentSteps steps_;
};

/// Whether small products and kernels beat LibTorch on the host: measured 1.3 to 50 times faster
/// within these bounds, down to a third of its speed beyond them. LibTorch's LSTM is one operator
/// of oneDNN's there, dear to call and cheap to go on.
bool is_worth_on_host(const Graph& graph, const Call& call) {
  constexpr int64_t kMostWidth = 64, kMostBatch = 16, kMostMultiplies = 1 << 20;
  const RecurrentWeights& w = call.weights[0];
  const ValueId id = w.hidden.tensor()->id;
  const Value& weight = graph.value(id);
  const bool is_one_operator = call.kind.gates == Gates::kLstm && w.projection.is_none();
  return weight.dtype == DType::kF32 && graph.storage_of(id).kind == Storage::Kind::kConstant &&
         weight.sizes[0] <= call.kind.blocks * kMostWidth && call.batch <= kMostBatch &&
         (!is_one_operator || call.steps * call.batch * weight.elements() <= kMostMultiplies);
}

/// The call, if the target is better off with its steps than with LibTorch's operator.
std::optional<Call> call_to_unroll(const Graph& graph, const Node& node, const Target& target) {
  const bool on_device = target.rows && target.blas;
  const Kind* kind = find_kind(node.op);
  if (kind == nullptr || kind->is_cell || target.rounding == Rounding::kExact) return std::nullopt;
  if (!on_device && !target.hand_kernels) return std::nullopt;
  auto call = call_of(graph, node, *kind);
  if (call && !on_device && !is_worth_on_host(graph, *call)) return std::nullopt;
  return call;
}

}  // namespace

std::optional<std::vector<Node>> recurrence_nodes(Graph* graph, const Node& node,
                                                  const Target& target) {
  const Kind* kind = find_kind(node.op);
  if (kind != nullptr && kind->is_cell && is_plain(*graph, node, 6, 2))
    return cell_nodes(graph, node, *kind);
  const auto call = call_to_unroll(*graph, node, target);
  if (!call || call->nodes() > kMostNodes) return std::nullopt;
  return Layers(graph, node, *call).run();
}

std::string why_not_unrolled(const Graph& graph, const Node& node, const Target& target) {
  const auto call = call_to_unroll(graph, node, target);
  if (!call || call->nodes() <= kMostNodes) return "";
  return fmt::format("unrolled it would be {} nodes, of which {} are the most", call->nodes(),
                     kMostNodes);
}

}  // namespace torchweld
