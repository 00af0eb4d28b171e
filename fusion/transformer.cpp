#include "fusion/transformer.h"

#include <cmath>
#include <limits>
#include <optional>

#include "fusion/attention.h"
#include "fusion/matrix_stack.h"
#include "fusion/node_args.h"
#include "fusion/rewriter.h"
#include "fusion/uses.h"

namespace torchweld {
namespace {

/// What ATen's `mask_type` says of a mask's dims.
enum class MaskType : int64_t { kScores = 0, kKeys = 1, kAll = 2 };

struct Linear {
  ValueId weight = kNone, bias = kNone;
};

/// Self-attention with one weight for q, k and v.
struct SelfAttention {
  int64_t heads = 0;
  Linear qkv, out;
  ValueId mask = kNone;
  std::optional<MaskType> mask_type;
};

struct Norm {
  ValueId weight = kNone, bias = kNone;
  double eps = 0;
};

Linear linear_at(const Node& node, size_t i) {
  return {tensor_arg(node, i), tensor_arg(node, i + 1)};
}

/// From where a node's arguments have the number of heads, the weight of q, k and v, and the mask.
SelfAttention attention_at(const Node& node, size_t heads, size_t qkv, size_t mask,
                           size_t mask_type) {
  SelfAttention a;
  a.heads = int_arg(node, heads).value_or(0);
  a.qkv = linear_at(node, qkv);
  a.out = linear_at(node, qkv + 2);
  a.mask = tensor_arg(node, mask);
  if (const auto type = int_arg(node, mask_type)) a.mask_type = MaskType{*type};
  return a;
}

/// Writes the parts of one layer.
class Layer {
 public:
  Layer(Graph* graph, const Node& node, const Target& target)
      : graph_(*graph), rewriter_(graph, node), node_(node), target_(target) {}

  /// False when the kernel doesn't take it; what was made is then to be dropped.
  bool attention(const SelfAttention& a) {
    const ValueId x = tensor_arg(node_, 0);
    const ValueId y = attend(a, x);
    if (y == kNone) return false;
    linear_into(node_.outputs[0], y, a.out);
    return true;
  }

  /// The same, written out, since what softmax gives leaves as `weights`: of each head or,
  /// averaged, of all.
  bool attention_and_weights(const SelfAttention& a, ValueId weights, bool averages) {
    const ValueId x = tensor_arg(node_, 0), out = fresh_like(x);
    const std::vector<Arg> heads = heads_of(a, x);
    const Sizes of_q = sizes(heads[0].tensor()->id);
    const int64_t batch = of_q[0], time = of_q[2], width = a.heads * of_q[3];
    const std::optional<Arg> mask = mask_of(a, batch, time);
    const Sizes all{batch, a.heads, time, time}, averaged{batch, time, time};
    if (!mask || sizes(weights) != (averages ? averaged : all) ||
        graph_.value(weights).strides != contiguous_strides(sizes(weights)))
      return false;
    const DType dtype = graph_.value(x).dtype;
    const double scale = 1 / std::sqrt(static_cast<double>(of_q[3]));
    const ValueId q =
        rewriter_.call("aten::mul.Scalar", {heads[0], {scale}}, rewriter_.fresh(dtype, of_q));
    const ValueId k = rewriter_.transposed(heads[1].tensor()->id, 2, 3);
    ValueId scores =
        rewriter_.call("aten::matmul", {tensor(q), tensor(k)}, rewriter_.fresh(dtype, all));
    if (!mask->is_none())
      scores = rewriter_.like("aten::masked_fill.Scalar",
                              {tensor(scores), *mask, {-std::numeric_limits<double>::infinity()}},
                              scores);
    const ValueId p = averages ? rewriter_.fresh(dtype, all) : weights;
    rewriter_.call("aten::softmax.int", {tensor(scores), {int64_t{-1}}, Arg{}}, p);
    rewriter_.call("aten::matmul", {tensor(p), heads[2]}, by_heads(out, of_q, width));
    if (averages) {
      const ValueId sum =
          rewriter_.call("aten::sum.dim_IntList", {tensor(p), {Arg::Ints{1}}, {false}, Arg{}},
                         rewriter_.fresh(dtype, averaged));
      rewriter_.call("aten::div.Scalar", {tensor(sum), {a.heads}}, weights);
    }
    linear_into(node_.outputs[0], out, a.out);
    return true;
  }

  bool encoder_layer() {
    const SelfAttention a = attention_at(node_, 2, 3, 18, 19);
    const bool gelu = flag_arg(node_, 7), norm_first = flag_arg(node_, 8);
    const double eps = number_arg(node_, 9).value_or(0);
    const Norm first{tensor_arg(node_, 10), tensor_arg(node_, 11), eps};
    const Norm second{tensor_arg(node_, 12), tensor_arg(node_, 13), eps};
    const ValueId x = tensor_arg(node_, 0), out = node_.outputs[0];
    const ValueId attended = attend(a, norm_first ? norm(x, first) : x);
    if (attended == kNone) return false;
    ValueId y = add(linear(attended, a.out), x);
    if (!norm_first) y = norm(y, first);
    const ValueId inner = linear(norm_first ? norm(y, second) : y, linear_at(node_, 14));
    const ValueId active =
        gelu ? rewriter_.like("aten::gelu", {tensor(inner), {std::string("none")}}, inner)
             : rewriter_.like("aten::relu", {tensor(inner)}, inner);
    const ValueId result = linear(active, linear_at(node_, 16));
    if (norm_first) {
      add_into(out, result, y);
    } else {
      norm_into(out, add(result, y), second);
    }
    return true;
  }

  std::vector<Node> take() { return rewriter_.take(); }

 private:
  const Sizes& sizes(ValueId id) const { return graph_.value(id).sizes; }

  ValueId linear(ValueId x, const Linear& l) {
    Sizes out = sizes(x);
    out.back() = sizes(l.weight)[0];
    return linear_into(rewriter_.fresh(graph_.value(x).dtype, out), x, l);
  }

  ValueId linear_into(ValueId out, ValueId x, const Linear& l) {
    return rewriter_.call("aten::linear", {tensor(x), tensor(l.weight), tensor(l.bias)}, out);
  }

  ValueId fresh_like(ValueId x) { return rewriter_.fresh(graph_.value(x).dtype, sizes(x)); }
  ValueId norm(ValueId x, const Norm& n) { return norm_into(fresh_like(x), x, n); }
  ValueId add(ValueId a, ValueId b) { return add_into(fresh_like(a), a, b); }

  ValueId norm_into(ValueId out, ValueId x, const Norm& n) {
    const Arg::Ints dims{sizes(x).back()};
    return rewriter_.call("aten::layer_norm",
                          {tensor(x), {dims}, tensor(n.weight), tensor(n.bias), {n.eps}, {true}},
                          out);
  }

  ValueId add_into(ValueId out, ValueId a, ValueId b) {
    return rewriter_.call("aten::add.Tensor", {tensor(a), tensor(b), {int64_t{1}}}, out);
  }

  /// softmax(q k' / sqrt(head size) + mask) v of x [batch, time, width], as wide; kNone when the
  /// kernel doesn't take it.
  ValueId attend(const SelfAttention& a, ValueId x) {
    const std::vector<Arg> heads = heads_of(a, x);
    const ValueId out = fresh_like(x);
    const ValueId made =
        target_.attention != nullptr ? attend_by_kernel(a, heads, out) : ValueId{kNone};
    return made == kNone && target_.hand_kernels ? attend_by_library(a, heads, out) : made;
  }

  /// q, k and v of x, [batch, heads, time, head size], views of one product.
  std::vector<Arg> heads_of(const SelfAttention& a, ValueId x) {
    const Sizes of_x = sizes(x);
    const int64_t batch = of_x[0], time = of_x[1], width = of_x[2], head = width / a.heads;
    const ValueId qkv = linear(x, a.qkv);
    std::vector<Arg> heads;
    for (const int64_t index : {0, 1, 2}) {
      Value v = graph_.value(qkv);
      v.offset += index * width;
      v.sizes = {batch, a.heads, time, head};
      v.strides = {time * 3 * width, head, 3 * width, 1};
      heads.push_back(tensor(graph_.add(std::move(v))));
    }
    return heads;
  }

  /// `out` [batch, time, width] as [batch, heads, time, head size].
  ValueId by_heads(ValueId out, const Sizes& of_q, int64_t width) {
    Value seen = graph_.value(out);
    seen.sizes = of_q;
    seen.strides = {of_q[2] * width, of_q[3], width, 1};
    return graph_.add(std::move(seen));
  }

  ValueId attend_by_kernel(const SelfAttention& a, const std::vector<Arg>& heads, ValueId out) {
    const Sizes of_q = sizes(heads[0].tensor()->id);
    const int64_t time = of_q[2], head = of_q[3], width = a.heads * head;
    std::optional<Arg> mask = mask_of(a, of_q[0], time);
    if (!mask) return kNone;
    Node node;
    node.op = kAttentionOp;
    node.args = heads;
    node.args.insert(node.args.end(), {std::move(*mask),
                                       {1 / std::sqrt(static_cast<double>(head))},
                                       {false},
                                       {false},
                                       {-std::numeric_limits<double>::infinity()},
                                       {true},
                                       {Arg::Ints{time * width, head, width}}});
    node.outputs = {out};
    AttentionCall call;
    std::string why;
    if (!make_attention(graph_, node, target_, &call, &why)) return kNone;
    return rewriter_.call(kAttentionOp, std::move(node.args), out);
  }

  /// LibTorch's attention on the host leaves its result as [batch, time, heads, head size]. What it
  /// gives for a query without keys is another matter, so no masks.
  ValueId attend_by_library(const SelfAttention& a, const std::vector<Arg>& heads, ValueId out) {
    if (a.mask != kNone) return kNone;
    const Sizes of_q = sizes(heads[0].tensor()->id);
    std::vector<Arg> args = heads;
    args.insert(args.end(), {Arg{}, {0.0}, {false}, Arg{}, {false}});
    rewriter_.call("aten::scaled_dot_product_attention", std::move(args),
                   by_heads(out, of_q, a.heads * of_q[3]));
    return out;
  }

  /// Which keys a query leaves out, [batch, heads, queries, keys] broadcast; nullopt for masks of
  /// other dims.
  std::optional<Arg> mask_of(const SelfAttention& a, int64_t batch, int64_t time) {
    if (a.mask == kNone) return Arg{};
    if (!a.mask_type) return std::nullopt;
    ValueId mask = a.mask;
    if (graph_.value(mask).dtype != DType::kBool) {
      mask = rewriter_.fresh(DType::kBool, sizes(a.mask));
      rewriter_.call("aten::ne.Scalar", {tensor(a.mask), {int64_t{0}}}, mask);
    }
    Value v = graph_.value(mask);
    const Sizes of_mask = v.sizes, strides = v.strides;
    switch (*a.mask_type) {
      case MaskType::kScores:
        if (of_mask != Sizes{time, time}) return std::nullopt;
        v.sizes = {1, 1, time, time};
        v.strides = {0, 0, strides[0], strides[1]};
        break;
      case MaskType::kKeys:
        if (of_mask != Sizes{batch, time}) return std::nullopt;
        v.sizes = {batch, 1, 1, time};
        v.strides = {strides[0], 0, 0, strides[1]};
        break;
      case MaskType::kAll:
        if (of_mask != Sizes{batch, a.heads, time, time}) return std::nullopt;
        break;
    }
    return tensor(graph_.add(std::move(v)));
  }

  Graph& graph_;
  Rewriter rewriter_;
  const Node& node_;
  const Target& target_;
};

/// A dense tensor of three dims in, one of the same shape out. On CUDA halves stay LibTorch's,
/// whose attention multiplies them on tensor cores.
bool is_plain(const Graph& graph, const Node& node, const Target& target) {
  const ValueId x = tensor_arg(node, 0), out = node.outputs.empty() ? kNone : node.outputs[0];
  if (x == kNone || out == kNone || graph.value(x).opaque || graph.value(out).opaque) return false;
  const Value& in = graph.value(x);
  const Value& made = graph.value(out);
  return (in.dtype == DType::kF32 || (is_half(in.dtype) && target.hand_kernels)) &&
         in.sizes.size() == 3 && made.sizes == in.sizes &&
         made.strides == contiguous_strides(made.sizes) && in.elements() > 0;
}

/// `weights`: of attention, kNone where nobody reads them.
std::optional<std::vector<Node>> parts_of(Graph* graph, const Node& node, ValueId weights,
                                          const Target& target) {
  const bool layer = node.op == "aten::_transformer_encoder_layer_fwd";
  if (!layer && node.op != "aten::_native_multi_head_attention") return std::nullopt;
  if (!is_plain(*graph, node, target)) return std::nullopt;
  const int64_t heads = int_arg(node, layer ? 2 : 4).value_or(0);
  if (heads <= 0) return std::nullopt;
  Layer made(graph, node, target);
  if (layer) return made.encoder_layer() ? std::optional(made.take()) : std::nullopt;
  const bool same =
      tensor_arg(node, 0) == tensor_arg(node, 1) && tensor_arg(node, 0) == tensor_arg(node, 2);
  const bool writes_out = weights != kNone;
  if (!same || (writes_out && (!target.hand_kernels || graph->value(weights).dtype != DType::kF32)))
    return std::nullopt;
  const SelfAttention a = attention_at(node, 4, 5, 9, 12);
  const bool taken =
      writes_out ? made.attention_and_weights(a, weights, flag_arg(node, 11)) : made.attention(a);
  return taken ? std::optional(made.take()) : std::nullopt;
}

/// A node's second result, if someone reads it.
ValueId read_weights(const Node& node, const Uses& uses) {
  if (node.outputs.size() < 2 || node.outputs[1] == kNone) return kNone;
  return uses.is_read(node.outputs[1]) ? node.outputs[1] : kNone;
}

}  // namespace

void expand_transformers(Graph* graph, const Target& target) {
  if (target.attention == nullptr && !target.hand_kernels) return;
  const Uses uses(*graph);
  std::vector<Node> nodes;
  for (Node& node : graph->nodes) {
    const size_t values = graph->values.size(), storages = graph->storages.size();
    auto parts = parts_of(graph, node, read_weights(node, uses), target);
    if (!parts) {
      graph->values.resize(values);
      graph->storages.resize(storages);
      nodes.push_back(std::move(node));
      continue;
    }
    for (Node& part : *parts) nodes.push_back(std::move(part));
  }
  graph->nodes = std::move(nodes);
}

}  // namespace torchweld
