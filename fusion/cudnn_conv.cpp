#include "fusion/cudnn_conv.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "fusion/batch_norm.h"
#include "fusion/channels_last.h"
#include "fusion/conv_args.h"
#include "fusion/image_conv.h"
#include "fusion/node_args.h"
#include "fusion/rewriter.h"
#include "fusion/uses.h"

namespace torchweld {
namespace {

struct Convolution {
  ValueId x = kNone, weight = kNone, bias = kNone;
  ConvArgs args;
};

bool is_constant(const Graph& graph, ValueId id, DType dtype) {
  return graph.value(id).dtype == dtype && !graph.value(id).opaque &&
         std::find(graph.constants.begin(), graph.constants.end(), id) != graph.constants.end();
}

/// Of images, with constant weights, as it was recorded.
std::optional<Convolution> convolution_of(const Graph& graph, const Node& node) {
  constexpr size_t kPixelDims = 2;
  const auto args = conv_args(node, kPixelDims);
  Convolution c{tensor_arg(node, 0), tensor_arg(node, 1), tensor_arg(node, 2), {}};
  if (!args || node.op == kImageConv || !node.pure || c.x == kNone || c.weight == kNone ||
      node.outputs.size() != 1 || node.outputs[0] == kNone)
    return std::nullopt;
  c.args = *args;
  const Value& x = graph.value(c.x);
  const Value& out = graph.value(node.outputs[0]);
  const bool images = x.sizes.size() == 4 && out.sizes.size() == 4 && !x.opaque && !out.opaque &&
                      out.elements() > 0 && out.dtype == x.dtype;
  if (!images || !is_constant(graph, c.weight, x.dtype) ||
      graph.value(c.weight).sizes.size() != 4 ||
      (c.bias != kNone && !is_constant(graph, c.bias, x.dtype)))
    return std::nullopt;
  return c;
}

/// Gives convolutions their relu.
class Joiner {
 public:
  explicit Joiner(Graph* graph) : graph_(*graph), uses_(*graph) {
    for (const Node& node : graph_.nodes) {
      for (const ValueId id : node.writes) written_.insert(graph_.value(id).storage);
    }
  }

  void run() {
    const size_t count = graph_.nodes.size();
    for (size_t n = 0; n < count; ++n) join(static_cast<NodeId>(n));
    std::vector<Node> nodes;
    for (size_t n = 0; n < count; ++n) {
      const auto joined = joined_.find(static_cast<NodeId>(n));
      if (joined != joined_.end()) {
        nodes.push_back(std::move(joined->second));
      } else if (!absorbed_.contains(static_cast<NodeId>(n))) {
        nodes.push_back(std::move(graph_.nodes[n]));
      }
    }
    graph_.nodes = std::move(nodes);
  }

 private:
  /// What stands between a convolution and its relu.
  struct Chain {
    NodeId norm = kNone, add = kNone, relu = kNone;
    ValueId summand = kNone;
  };

  const Node& node_of(NodeId n) const { return graph_.nodes[static_cast<size_t>(n)]; }

  /// The node that alone reads all of `made` and makes something of the same sizes; kNone for none.
  NodeId next(ValueId made) const {
    const NodeId n = uses_.only_reader(made);
    if (n == kNone || joined_.contains(n) || absorbed_.contains(n)) return kNone;
    const Node& node = node_of(n);
    if (!node.pure || node.outputs.size() != 1 || node.outputs[0] == kNone) return kNone;
    const Value& out = graph_.value(node.outputs[0]);
    const Value& in = graph_.value(made);
    return out.sizes == in.sizes && out.dtype == in.dtype && !out.opaque ? n : kNone;
  }

  /// The other operand of a sum of two tensors of the result's shape; kNone for other nodes.
  ValueId summand(const Node& node, ValueId made) const {
    if (node.op != "aten::add.Tensor" || number_arg(node, 2) != 1.0) return kNone;
    const ValueId a = tensor_arg(node, 0), b = tensor_arg(node, 1);
    const ValueId other = a == made ? b : a;
    if (other == kNone || (a != made && b != made)) return kNone;
    const Value& v = graph_.value(other);
    const bool same = v.sizes == graph_.value(made).sizes && v.dtype == graph_.value(made).dtype;
    return same && !v.opaque && !written_.contains(v.storage) ? other : kNone;
  }

  std::optional<Chain> chain_after(ValueId made) const {
    const bool is_float32 = graph_.value(made).dtype == DType::kF32;
    Chain chain;
    NodeId n = next(made);
    if (n != kNone && is_float32 && is_plain_batch_norm(graph_, node_of(n)) &&
        tensor_arg(node_of(n), 0) == made) {
      chain.norm = n;
      made = node_of(n).outputs[0];
      n = next(made);
    }
    if (n != kNone && is_float32) chain.summand = summand(node_of(n), made);
    if (chain.summand != kNone) {
      chain.add = n;
      made = node_of(n).outputs[0];
      n = next(made);
    }
    if (n == kNone || node_of(n).op != "aten::relu" || tensor_arg(node_of(n), 0) != made)
      return std::nullopt;
    chain.relu = n;
    return chain;
  }

  void join(NodeId n) {
    const auto found = convolution_of(graph_, node_of(n));
    if (!found || found->args.groups != 1 || written_.contains(graph_.value(found->x).storage))
      return;
    const DType dtype = graph_.value(found->x).dtype;
    if (dtype != DType::kF32 && dtype != DType::kF16) return;
    const auto chain = chain_after(node_of(n).outputs[0]);
    if (!chain) return;
    Convolution c = *found;
    Rewriter r(&graph_, node_of(n));
    for (const NodeId by : {chain->norm, chain->add, chain->relu}) {
      if (by != kNone) r.covers(node_of(by));
    }
    if (chain->norm != kNone) {
      const Affine norm = affine_of(graph_, node_of(chain->norm), &r);
      c.weight = scaled_weight(&graph_, c.weight, norm, &r);
      c.bias = folded_bias(c.bias, norm, &r);
    }
    for (const NodeId gone : {n, chain->norm, chain->add}) absorbed_.insert(gone);
    joined_[chain->relu] = call(c, chain->summand, node_of(chain->relu).outputs[0], &r);
  }

  static Node call(const Convolution& c, ValueId summand, ValueId out, Rewriter* r) {
    std::vector<Arg> args = {tensor(c.x), tensor(c.weight)};
    if (summand != kNone) args.insert(args.end(), {tensor(summand), {int64_t{1}}});
    args.insert(args.end(), {c.bias == kNone ? Arg{} : tensor(c.bias),
                             {c.args.stride},
                             {c.args.padding},
                             {c.args.dilation},
                             {c.args.groups}});
    r->call(summand == kNone ? kCudnnRelu : kCudnnAddRelu, std::move(args), out);
    return std::move(r->take().front());
  }

  Graph& graph_;
  Uses uses_;
  std::set<StorageId> written_;
  std::set<NodeId> absorbed_;
  std::map<NodeId, Node> joined_;
};

bool has_tensor_cores(DType dtype, const Target& target) {
  return is_half(dtype) || (dtype == DType::kF32 && target.cudnn_tf32);
}

bool lies_channels_last(const Value& v) { return v.strides == channels_last_strides(v.sizes); }

struct Turned {
  bool any = false;
  int64_t elements = 0;  // of images and results that cuDNN would have to copy
};

/// Lays the weights out.
Turned turn_weights(Graph* graph, const Target& target) {
  Turned all;
  std::map<ValueId, ValueId> turned;
  for (Node& node : graph->nodes) {
    const bool joined = node.op == kCudnnRelu || node.op == kCudnnAddRelu;
    if (!joined && !convolution_of(*graph, node)) continue;
    const ValueId x = tensor_arg(node, 0), weight = tensor_arg(node, 1);
    if (!has_tensor_cores(graph->value(x).dtype, target)) continue;
    if (lies_channels_last(graph->value(weight))) continue;
    all.any = true;
    for (const ValueId id : {x, node.outputs[0]}) {
      if (!lies_channels_last(graph->value(id))) all.elements += graph->value(id).elements();
    }
    ValueId& known = turned.try_emplace(weight, kNone).first->second;
    if (known == kNone) {
      constexpr int64_t kChannelsLast = 2;  // c10::MemoryFormat
      Rewriter r(graph, node);
      known = r.setup("aten::clone", {tensor(weight), {kChannelsLast}}, weight);
      Value& made = graph->values[static_cast<size_t>(known)];
      made.strides = channels_last_strides(made.sizes);
    }
    node.args[1] = tensor(known);
  }
  return all;
}

}  // namespace

bool is_channels_last_cudnn(const Graph& graph, const Node& node) {
  if (node.op != kCudnnRelu && node.op != kCudnnAddRelu && !convolution_of(graph, node))
    return false;
  return lies_channels_last(graph.value(tensor_arg(node, 1)));
}

void use_cudnn(Graph* graph, const Target& target) {
  if (!target.cudnn) return;
  Joiner(graph).run();
  Graph turned = *graph;
  const Turned weights = turn_weights(&turned, target);
  if (!weights.any) return;
  const int64_t copied = use_channels_last_around_cudnn(&turned);
  if (copied == 0 || copied < weights.elements) *graph = std::move(turned);
}

}  // namespace torchweld
