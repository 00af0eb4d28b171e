#include "fusion/batch_norm.h"

#include "fusion/node_args.h"

namespace torchweld {
namespace {

/// Of the images' dtype; with halves also float32.
bool is_constant_vector(const Graph& graph, const Arg& arg, DType images) {
  const auto* t = arg.tensor();
  if (t == nullptr || t->id == kNone) return false;
  const Value& v = graph.value(t->id);
  return graph.storage_of(t->id).kind == Storage::Kind::kConstant && v.sizes.size() == 1 &&
         (v.dtype == images || (is_half(images) && v.dtype == DType::kF32));
}

/// A vector by channel as it broadcasts over an image: [C] as [C, 1, 1].
ValueId by_channel(Graph* graph, ValueId vector, size_t rank) {
  Value v = graph->value(vector);
  v.sizes.resize(rank - 1, 1);
  v.strides.resize(rank - 1, 1);
  return graph->add(std::move(v));
}

}  // namespace

bool is_plain_batch_norm(const Graph& graph, const Node& node) {
  if (node.op != "aten::batch_norm" || node.args.size() != 9 || node.outputs.size() != 1)
    return false;
  const auto* x = node.args[0].tensor();
  const auto* training = std::get_if<bool>(&node.args[5].value);
  if (x == nullptr || training == nullptr || *training) return false;
  const Value& v = graph.value(x->id);
  if (!is_floating(v.dtype) || v.sizes.size() < 2) return false;
  for (const size_t i : {1, 2, 3, 4}) {
    const bool optional = i < 3 && node.args[i].is_none();
    if (!optional && !is_constant_vector(graph, node.args[i], v.dtype)) return false;
  }
  return true;
}

Affine affine_of(const Graph& graph, const Node& recorded, Rewriter* r) {
  Node node = recorded;
  for (const size_t i : {1, 2, 3, 4}) {
    const ValueId id = tensor_arg(node, i);
    if (id != kNone && is_half(graph.value(id).dtype))
      node.args[i] = tensor(r->setup_cast(id, DType::kF32));
  }
  const ValueId mean = node.args[3].tensor()->id, var = node.args[4].tensor()->id;
  const DType dtype = graph.value(var).dtype;
  // ATen's root is correctly rounded here, and what it adds is a fused multiply-add: neither is an
  // operator of LibTorch's in float32. float64 has the digits to round once.
  const auto wide = [r](ValueId of) { return tensor(r->setup_cast(of, DType::kF64)); };
  const auto in_float64 = [r, var, &graph](const char* op, std::vector<Arg> args) {
    return r->setup(op, std::move(args), DType::kF64, graph.value(var).sizes);
  };
  const ValueId shifted =
      r->setup("aten::add.Scalar", {tensor(var), node.args[7], {int64_t{1}}}, var);
  const ValueId root = r->setup_cast(in_float64("aten::sqrt", {wide(shifted)}), dtype);
  ValueId alpha = r->setup("aten::reciprocal", {tensor(root)}, var);
  if (!node.args[1].is_none())
    alpha = r->setup("aten::mul.Tensor", {tensor(alpha), node.args[1]}, var);
  const ValueId moved = in_float64("aten::mul.Tensor", {wide(mean), wide(alpha)});
  const ValueId beta =
      node.args[2].is_none()
          ? in_float64("aten::neg", {tensor(moved)})
          : in_float64("aten::sub.Tensor",
                       {wide(node.args[2].tensor()->id), tensor(moved), {int64_t{1}}});
  return {alpha, r->setup_cast(beta, dtype)};
}

ValueId scaled_weight(Graph* graph, ValueId weight, const Affine& norm, Rewriter* r) {
  Arg::Ints sizes(graph->value(weight).sizes.size(), 1);
  sizes[0] = -1;
  const ValueId by_output =
      r->setup("aten::view", {tensor(norm.alpha), {std::move(sizes)}}, norm.alpha);
  const ValueId scaled = r->setup("aten::mul.Tensor", {tensor(weight), tensor(by_output)}, weight);
  // LibTorch's result lies as its operand does.
  graph->values[static_cast<size_t>(scaled)].strides = graph->value(weight).strides;
  return scaled;
}

ValueId folded_bias(ValueId bias, const Affine& norm, Rewriter* r) {
  if (bias == kNone) return norm.beta;
  const ValueId scaled = r->setup("aten::mul.Tensor", {tensor(bias), tensor(norm.alpha)}, bias);
  return r->setup("aten::add.Tensor", {tensor(scaled), tensor(norm.beta), {int64_t{1}}}, bias);
}

std::vector<Node> batch_norm(Graph* graph, const Node& node) {
  Rewriter r(graph, node);
  const auto [alpha, beta] = affine_of(*graph, node, &r);
  const ValueId x = node.args[0].tensor()->id, out = node.outputs[0];
  const size_t rank = graph->value(out).sizes.size();
  const bool halves = is_half(graph->value(x).dtype);
  const auto wide = [&](ValueId like) {
    const ValueId id = r.fresh(DType::kF32, graph->value(like).sizes);
    if (is_dense(graph->value(like)))
      graph->values[static_cast<size_t>(id)].strides = graph->value(like).strides;
    return id;
  };
  const ValueId in = halves ? r.cast(x, wide(x)) : x, sum = halves ? wide(out) : out;
  r.call("aten::addcmul",
         {tensor(by_channel(graph, beta, rank)),
          tensor(in),
          tensor(by_channel(graph, alpha, rank)),
          {int64_t{1}}},
         sum);
  if (halves) r.cast(sum, out);
  return r.take();
}

}  // namespace torchweld
