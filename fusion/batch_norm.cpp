#include "fusion/batch_norm.h"

namespace torchweld {
namespace {

bool is_constant_vector(const Graph& graph, const Arg& arg, DType dtype) {
  const auto* t = arg.tensor();
  if (t == nullptr || t->id == kNone) return false;
  const Value& v = graph.value(t->id);
  return graph.storage_of(t->id).kind == Storage::Kind::kConstant && v.sizes.size() == 1 &&
         v.dtype == dtype;
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
  if ((v.dtype != DType::kF32 && v.dtype != DType::kF64) || v.sizes.size() < 2) return false;
  for (const size_t i : {1, 2, 3, 4}) {
    const bool optional = i < 3 && node.args[i].is_none();
    if (!optional && !is_constant_vector(graph, node.args[i], v.dtype)) return false;
  }
  return true;
}

Affine affine_of(const Graph& graph, const Node& node, Rewriter* r) {
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

std::vector<Node> batch_norm(Graph* graph, const Node& node) {
  Rewriter r(graph, node);
  const auto [alpha, beta] = affine_of(*graph, node, &r);
  const ValueId out = node.outputs[0];
  const size_t rank = graph->value(out).sizes.size();
  r.call("aten::addcmul",
         {tensor(by_channel(graph, beta, rank)),
          node.args[0],
          tensor(by_channel(graph, alpha, rank)),
          {int64_t{1}}},
         out);
  return r.take();
}

}  // namespace torchweld
