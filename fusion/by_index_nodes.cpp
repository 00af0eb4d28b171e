#include "fusion/by_index_nodes.h"

#include <algorithm>
#include <string>

#include "fusion/by_index.h"
#include "fusion/node_args.h"
#include "fusion/rewriter.h"
#include "fusion/scatter.h"

namespace torchweld {
namespace {

bool is_reduction(const Node& node) { return node.op.starts_with("aten::scatter_reduce"); }

std::string reduction_of(const Node& node) {
  const Arg* how = is_reduction(node) ? arg_at(node, 4) : nullptr;
  const auto* name = how == nullptr ? nullptr : std::get_if<std::string>(&how->value);
  return name == nullptr ? "" : *name;
}

/// A reduction to which the target's own value counts, and of a mean the sum.
Node plain(Node node) {
  if (!is_reduction(node) || node.args.size() < 6) return node;
  if (reduction_of(node) == "mean") node.args[4].value = std::string("sum");
  node.args[5].value = true;
  return node;
}

/// Takes one write in place apart, front to back.
class Expansion {
 public:
  Expansion(Graph* graph, const Node& recorded, std::vector<Node> nodes)
      : graph_(*graph), rewriter_(graph, recorded), nodes_(std::move(nodes)) {
    write_ = std::move(nodes_.back());
    nodes_.pop_back();
    target_ = tensor_arg(write_, 0);
  }

  std::vector<Node> run(const Node& recorded) {
    const Scatter s = *scatter_of(graph_, write_);
    const bool means = reduction_of(recorded) == "mean";
    const ValueId narrow = target_;
    if (is_half(graph_.value(target_).dtype) && (s.accumulates() || means)) widen(s.source);
    if (s.factor != 1 && s.source != kNone) scale();
    if (is_reduction(recorded) && !flag_arg(recorded, 5)) forget_target(reduction_of(recorded));
    const ValueId counts = means ? count(flag_arg(recorded, 5)) : kNone;
    push(write_);
    if (means) in_place("aten::div_.Tensor", target_, {tensor(target_), tensor(counts)});
    if (narrow != target_) {
      rewriter_.store(target_, narrow);
      take();
    }
    return std::move(nodes_);
  }

 private:
  void take() {
    for (Node& node : rewriter_.take()) nodes_.push_back(std::move(node));
  }

  void push(Node node) {
    take();
    nodes_.push_back(std::move(node));
  }

  void in_place(const char* op, ValueId target, std::vector<Arg> args) {
    Node node = write_;
    node.op = op;
    node.args = std::move(args);
    node.outputs.clear();
    node.writes = {target};
    push(std::move(node));
  }

  ValueId as_floats(ValueId id) {
    return rewriter_.cast(id, rewriter_.fresh(DType::kF32, graph_.value(id).sizes));
  }

  /// Of floats, and rounded once.
  void widen(ValueId source) {
    target_ = as_floats(target_);
    write_.args[0] = tensor(target_);
    write_.outputs.clear();
    write_.writes = {target_};
    if (source == kNone) return;
    for (size_t i = 1; i < write_.args.size(); ++i) {
      if (tensor_arg(write_, i) == source) write_.args[i] = tensor(as_floats(source));
    }
  }

  void scale() {
    const ValueId source = tensor_arg(write_, 3);
    const Arg factor = write_.args[4];
    write_.args[3] = tensor(rewriter_.like("aten::mul.Scalar", {tensor(source), factor}, source));
    write_.args[4].value = int64_t{1};
  }

  /// Where something is reduced, what was there becomes what changes no result: of extremes one of
  /// the values themselves.
  void forget_target(const std::string& how) {
    const bool extreme = how == "amax" || how == "amin";
    Arg value = write_.args[3];
    if (!extreme) value.value = int64_t{how == "prod" ? 1 : 0};
    in_place(extreme ? "aten::scatter_.src" : "aten::scatter_.value", target_,
             {tensor(target_), write_.args[1], write_.args[2], value});
  }

  /// How many values each place has, at least 1.
  ValueId count(bool with_target) {
    const Value& v = graph_.value(target_);
    const ValueId counts = rewriter_.fresh(v.dtype, v.sizes);
    rewriter_.call(with_target ? "aten::ones_like" : "aten::zeros_like",
                   {tensor(target_), Arg{}, Arg{}, Arg{}, Arg{}, Arg{int64_t{0}}}, counts);
    in_place(
        "aten::scatter_.value_reduce", counts,
        {tensor(counts), write_.args[1], write_.args[2], Arg{int64_t{1}}, Arg{std::string("add")}});
    return rewriter_.like("aten::clamp_min", {tensor(counts), Arg{int64_t{1}}}, counts);
  }

  Graph& graph_;
  Rewriter rewriter_;
  std::vector<Node> nodes_;
  Node write_;
  ValueId target_ = kNone;
};

/// The source side by side, then a copy that is written to where the mask says.
std::optional<std::vector<Node>> masked_nodes(Graph* graph, const Node& node) {
  const ValueId source = tensor_arg(node, 2);
  if (source == kNone || graph->value(source).opaque) return std::nullopt;
  const Value v = graph->value(source);
  const bool in_place = !node.writes.empty();
  if (in_place && v.strides == contiguous_strides(v.sizes)) return std::nullopt;
  if (!in_place && graph->value(tensor_arg(node, 0)).sizes != graph->value(node.outputs[0]).sizes)
    return std::nullopt;
  std::optional<std::vector<Node>> nodes = std::vector{node};
  if (!in_place) nodes = copy_and_write(graph, node);
  if (!nodes) return std::nullopt;
  if (v.strides != contiguous_strides(v.sizes)) {
    Rewriter r(graph, node);
    const ValueId copy = r.fresh(v.dtype, v.sizes);
    r.call("aten::clone", {tensor(source), Arg{int64_t{0}}}, copy);
    nodes->back().args[2] = tensor(copy);
    nodes->insert(nodes->begin(), r.take().front());
  }
  ByIndexCall call;
  return make_by_index(*graph, nodes->back(), &call) ? std::move(nodes) : std::nullopt;
}

/// A mean of integers is a division that could fail.
bool divides_integers(const Graph& graph, const Node& node) {
  return reduction_of(node) == "mean" && !is_floating(graph.value(tensor_arg(node, 0)).dtype);
}

}  // namespace

std::optional<std::vector<Node>> by_index_nodes(Graph* graph, const Node& node) {
  if (node.op == "aten::masked_scatter" || node.op == "aten::masked_scatter_")
    return masked_nodes(graph, node);
  std::optional<std::vector<Node>> nodes;
  if (node.writes.empty()) {
    nodes = written_copy(graph, plain(node));
  } else if (scatter_of(*graph, plain(node))) {
    nodes = {plain(node)};
  }
  if (!nodes || divides_integers(*graph, node)) return std::nullopt;
  nodes = Expansion(graph, node, std::move(*nodes)).run(node);
  ByIndexCall call;
  const bool taken = std::any_of(nodes->begin(), nodes->end(), [&](const Node& n) {
    return !n.writes.empty() && make_by_index(*graph, n, &call);
  });
  const bool same = nodes->size() == 1 && !node.writes.empty();
  return taken && !same ? std::move(nodes) : std::nullopt;
}

}  // namespace torchweld
