// Recurrent cells and layers as products and kernels.
#include "fusion/recurrence.h"

#include <fmt/format.h>

#include "fusion/node_args.h"
#include "fusion/recurrent_call.h"

namespace torchweld {
namespace {

constexpr int64_t kMostNodes = 4096;  // planned in 0.2 s; the time grows with the square

std::vector<Node> cell_nodes(Graph* graph, const Node& node, Gates gates, bool widens) {
  Rewriter r(graph, node);
  RecurrentSteps steps(graph, gates, widens, &r);
  const RecurrentWeights w{node.args[2], node.args[3], node.args[4], node.args[5], {}};
  RecurrentState out{node.outputs[0]};
  if (gates == Gates::kLstm) out.c = node.outputs[1];
  steps.step(steps.of_input(tensor_arg(node, 0), w), recurrent_state(node), w, out);
  return r.take();
}

class Layers {
 public:
  Layers(Graph* graph, const Node& node, const RecurrentCall& call)
      : graph_(*graph),
        node_(node),
        call_(call),
        end_{node.outputs[1], node.outputs.size() > 2 ? node.outputs[2] : kNone},
        r_(graph, node),
        steps_(graph, call.kind.gates, /*widens=*/true, &r_) {}

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
    RecurrentState state = part(recurrent_state(node_));
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
    if (state.c != kNone) r_.store(narrow(state.c, end.c), end.c);
  }

  ValueId narrow(ValueId id, ValueId as) {
    const DType type = graph_.value(as).dtype;
    const Value& v = graph_.value(id);
    return v.dtype == type ? id : r_.cast(id, r_.fresh(type, v.sizes));
  }

  Graph& graph_;
  const Node& node_;
  const RecurrentCall& call_;
  RecurrentState end_;  ///< of all layers and directions
  Rewriter r_;
  RecurrentSteps steps_;
};

/// Whether LibTorch's layers and cells there are one call, which rounds once.
bool has_library_layers(const Target& target) {
  return target.rounding != Rounding::kExact && target.rows && target.blas;
}

/// The call, if the target takes its steps one by one.
std::optional<RecurrentCall> call_to_unroll(const Graph& graph, const Node& node,
                                            const Target& target) {
  const RecurrentKind* kind = recurrent_kind(node);
  if (!has_library_layers(target) || kind == nullptr || kind->packed) return std::nullopt;
  return recurrent_call(graph, node);
}

}  // namespace

std::optional<std::vector<Node>> recurrence_nodes(Graph* graph, const Node& node,
                                                  const Target& target) {
  const RecurrentKind* kind = recurrent_kind(node);
  if (kind != nullptr && kind->is_cell && is_plain_cell(*graph, node))
    return cell_nodes(graph, node, kind->gates, has_library_layers(target));
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
