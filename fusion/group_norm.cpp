#include "fusion/group_norm.h"

#include "fusion/node_args.h"
#include "fusion/rewriter.h"

namespace torchweld {
namespace {

class GroupNorm {
 public:
  GroupNorm(Graph* graph, const Node& node)
      : graph_(*graph), r_(graph, node), x_(tensor_arg(node, 0)) {
    const Value& x = graph_.value(x_);
    groups_ = int_arg(node, 1).value_or(0);
    each_ = x.sizes[1] / groups_;
    for (size_t d = 2; d < x.sizes.size(); ++d) {
      pixels_.push_back(static_cast<int64_t>(d));
      count_ *= static_cast<double>(x.sizes[d]);
    }
  }

  std::vector<Node> nodes(const Node& node) {
    const ValueId mean = divided(sum(x_, pixels_), count_);
    const ValueId left = r_.call("aten::sub.Tensor", {tensor(x_), tensor(mean), {int64_t{1}}},
                                 r_.fresh(DType::kF32, graph_.value(x_).sizes));
    const ValueId squares = sum(times(left, left), pixels_);
    // By group: those of a channel about their own mean, and what that lies off the group's.
    const auto each = static_cast<double>(each_);
    const ValueId means = by_group(mean), of_group = divided(sum(means, {2}), each);
    const ValueId off = minus(means, of_group);
    const ValueId all = sum(plus(by_group(squares), scaled(times(off, off), count_)), {2});
    const double eps = number_arg(node, 4).value_or(1e-5);
    const ValueId variance = divided(all, each * count_);
    const ValueId deviation = r_.like(
        "aten::rsqrt",
        {tensor(r_.like("aten::add.Scalar", {tensor(variance), {eps}, {int64_t{1}}}, variance))},
        variance);
    const ValueId factor = r_.like(
        "aten::mul.Tensor", {tensor(weights(tensor_arg(node, 2))), tensor(deviation)}, means);
    const ValueId about = r_.like("aten::clone", {tensor(repeated(of_group)), {int64_t{0}}}, means);
    const ValueId distances = like_result(node), product = like_result(node);
    r_.call("aten::sub.Tensor", {tensor(x_), tensor(by_channel(about)), {int64_t{1}}}, distances);
    r_.call("aten::mul.Tensor", {tensor(distances), tensor(by_channel(factor))}, product);
    const ValueId out = node.outputs[0];
    const bool rounds = graph_.value(out).dtype != DType::kF32;
    const ValueId result = rounds ? like_result(node) : out;
    r_.call("aten::add.Tensor",
            {tensor(product), tensor(over_pixels(tensor_arg(node, 3))), {int64_t{1}}}, result);
    if (rounds) r_.cast(result, out);
    return r_.take();
  }

 private:
  ValueId sum(ValueId v, Arg::Ints dims) {
    std::vector<int64_t> sizes = graph_.value(v).sizes;
    for (const int64_t d : dims) sizes[static_cast<size_t>(d)] = 1;
    const auto number = scalar_type_number(DType::kF32);
    return r_.call("aten::sum.dim_IntList", {tensor(v), {std::move(dims)}, {true}, {number}},
                   r_.fresh(DType::kF32, std::move(sizes)));
  }
  ValueId divided(ValueId v, double by) {
    return r_.like("aten::div.Scalar", {tensor(v), {by}}, v);
  }
  ValueId scaled(ValueId v, double by) { return r_.like("aten::mul.Scalar", {tensor(v), {by}}, v); }
  ValueId times(ValueId a, ValueId b) {
    return r_.like("aten::mul.Tensor", {tensor(a), tensor(b)}, a);
  }
  ValueId plus(ValueId a, ValueId b) {
    return r_.like("aten::add.Tensor", {tensor(a), tensor(b), {int64_t{1}}}, a);
  }
  ValueId minus(ValueId a, ValueId b) {
    return r_.like("aten::sub.Tensor", {tensor(a), tensor(b), {int64_t{1}}}, a);
  }

  /// [N, C, 1...] as [N, groups, C / groups].
  ValueId by_group(ValueId id) {
    Value v = graph_.value(id);
    v.sizes = {v.sizes[0], groups_, each_};
    v.strides = contiguous_strides(v.sizes);
    return graph_.add(std::move(v));
  }

  /// And back.
  ValueId by_channel(ValueId id) {
    Value v = graph_.value(id);
    v.sizes = {v.sizes[0], groups_ * each_};
    v.sizes.resize(graph_.value(x_).sizes.size(), 1);
    v.strides = contiguous_strides(v.sizes);
    return graph_.add(std::move(v));
  }

  ValueId like_result(const Node& node) {
    const ValueId made = r_.fresh(DType::kF32, graph_.value(x_).sizes);
    graph_.value(made).strides = graph_.value(node.outputs[0]).strides;
    return made;
  }

  /// [N, groups, 1] as [N, groups, C / groups].
  ValueId repeated(ValueId id) {
    Value v = graph_.value(id);
    v.sizes[2] = each_;
    v.strides[2] = 0;
    return graph_.add(std::move(v));
  }

  /// [C] as [C, 1...].
  ValueId over_pixels(ValueId id) {
    Value v = graph_.value(id);
    v.sizes.resize(1 + pixels_.size(), 1);
    v.strides.resize(1 + pixels_.size(), 1);
    return graph_.add(std::move(v));
  }

  /// [C] as [groups, C / groups].
  ValueId weights(ValueId id) {
    Value v = graph_.value(id);
    v.sizes = {groups_, each_};
    v.strides = {v.strides[0] * each_, v.strides[0]};
    return graph_.add(std::move(v));
  }

  Graph& graph_;
  Rewriter r_;
  ValueId x_;
  int64_t groups_ = 1, each_ = 1;
  Arg::Ints pixels_;
  double count_ = 1;
};

}  // namespace

std::optional<std::vector<Node>> group_norm_by_channel(Graph* graph, const Node& node) {
  if (node.op != "aten::group_norm" || !node.pure || node.outputs.size() != 1 ||
      node.outputs[0] == kNone)
    return std::nullopt;
  const ValueId x = tensor_arg(node, 0);
  const auto groups = int_arg(node, 1);
  for (const ValueId id : {x, tensor_arg(node, 2), tensor_arg(node, 3), node.outputs[0]}) {
    if (id == kNone || graph->value(id).opaque ||
        compute_type(graph->value(id).dtype) != DType::kF32)
      return std::nullopt;
  }
  for (const ValueId id : {x, node.outputs[0]}) {
    const Value& v = graph->value(id);
    if (v.sizes.size() < 3 || v.elements() == 0 || v.strides[1] != 1 ||
        v.strides.back() < v.sizes[1])
      return std::nullopt;
  }
  if (!groups || *groups < 2 || *groups >= graph->value(x).sizes[1]) return std::nullopt;
  return GroupNorm(graph, node).nodes(node);
}

}  // namespace torchweld
