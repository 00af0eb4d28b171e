#include "fusion/packed_conv.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "fusion/batch_norm.h"
#include "fusion/channels_last.h"
#include "fusion/conv_args.h"
#include "fusion/image_conv.h"
#include "fusion/node_args.h"
#include "fusion/rewriter.h"
#include "fusion/small_conv.h"
#include "fusion/transposed_conv.h"
#include "fusion/uses.h"
#include "fusion/volume_conv.h"

namespace torchweld {
namespace {

// With fewer, vectors over the channels are mostly padding for oneDNN.
constexpr int64_t kFewestChannels = 16;

// An element changes its place in the time of some ten products, and packing saves a fifth of a
// large convolution, most of a small one, of which LibTorch's takes 15 us and more whatever its
// size, and more than half of filters of a channel. Where it doesn't pay, the gate finds it out.
constexpr int64_t kProductsPerCopy = 8;
constexpr int64_t kProductsPerCall = 250'000, kWorthByChannel = 4;

struct Convolution {
  ValueId x = kNone, weight = kNone, scale = kNone, bias = kNone;
  ConvArgs args;
  bool transposed = false;
};

struct Activation {
  std::string name = "none", algorithm;
};

bool is_constant(const Graph& graph, ValueId id) {
  return std::find(graph.constants.begin(), graph.constants.end(), id) != graph.constants.end() &&
         graph.value(id).dtype == DType::kF32;
}

std::optional<Convolution> convolution_of(const Graph& graph, const Node& node) {
  Convolution c{
      .x = tensor_arg(node, 0), .weight = tensor_arg(node, 1), .bias = tensor_arg(node, 2)};
  if (c.x == kNone || node.outputs.size() != 1 || node.outputs[0] == kNone) return std::nullopt;
  const Value& x = graph.value(c.x);
  const size_t rank = x.sizes.size();
  if (rank < 3 || rank > 5) return std::nullopt;
  const auto turned = transposed_args(graph, node);
  const auto args = turned ? turned : conv_args(node, rank - 2);
  const bool images =
      x.dtype == DType::kF32 && !x.opaque && graph.value(node.outputs[0]).elements() > 0;
  if (!args || !images || !is_constant(graph, c.weight) ||
      (c.bias != kNone && !is_constant(graph, c.bias)))
    return std::nullopt;
  c.args = *args;
  c.transposed = turned.has_value();
  if (rank == 5 &&
      !takes_volume(x, graph.value(c.weight), graph.value(node.outputs[0]), c.args, c.transposed))
    return std::nullopt;
  return c;
}

/// What oneDNN applies to the result at no cost. Not relu, hardtanh and hardsigmoid, of which
/// oneDNN's make a number of NaN.
std::optional<Activation> activation_of(const Node& node) {
  static const std::map<std::string, std::string> names = {{"aten::sigmoid", "sigmoid"},
                                                           {"aten::tanh", "tanh"},
                                                           {"aten::silu", "swish"},
                                                           {"aten::hardswish", "hardswish"},
                                                           {"aten::gelu", "gelu"}};
  const auto found = names.find(node.op);
  if (found == names.end()) return std::nullopt;
  Activation a{found->second, ""};
  if (a.name == "gelu") a.algorithm = std::get<std::string>(node.args[1].value);
  return a;
}

class Packer {
 public:
  Packer(Graph* graph, const Target& target) : graph_(*graph), target_(target), uses_(*graph) {
    for (const Node& node : graph_.nodes) {
      for (const ValueId id : node.writes) written_.insert(graph_.value(id).storage);
    }
  }

  /// How many products of two numbers the packed convolutions have, or are worth.
  int64_t run() {
    const size_t count = graph_.nodes.size();
    for (size_t n = 0; n < count; ++n) {
      SmallConv small;
      const Node& node = graph_.nodes[n];
      const auto convolution = convolution_of(graph_, node);
      if (convolution && !make_small_conv(graph_, node, &small))
        pack(static_cast<NodeId>(n), *convolution);
    }
    std::vector<Node> nodes;
    for (size_t n = 0; n < count; ++n) {
      const auto packed = packed_.find(static_cast<NodeId>(n));
      if (packed != packed_.end()) {
        nodes.push_back(std::move(packed->second));
      } else if (!absorbed_.contains(static_cast<NodeId>(n))) {
        nodes.push_back(std::move(graph_.nodes[n]));
      }
    }
    graph_.nodes = std::move(nodes);
    return products_;
  }

 private:
  const Node& node_of(NodeId n) const { return graph_.nodes[static_cast<size_t>(n)]; }

  /// The node that alone reads all of `made` and makes an image of the same sizes; kNone for none.
  NodeId next(ValueId made, ValueId x) const {
    const NodeId n = uses_.only_reader(made);
    if (n == kNone || packed_.contains(n) || absorbed_.contains(n) ||
        written_.contains(graph_.value(x).storage))
      return kNone;
    const Node& node = node_of(n);
    if (node.outputs.size() != 1 || node.outputs[0] == kNone || !node.pure) return kNone;
    const Value& out = graph_.value(node.outputs[0]);
    const bool same = out.sizes == graph_.value(made).sizes && out.dtype == DType::kF32 &&
                      tensor_arg(node, 0) == made;
    return same ? n : kNone;
  }

  /// Whether the own kernel takes it, and has enough channels to.
  bool is_own(const Convolution& c) const {
    if (!target_.hand_kernels) return false;
    const Value& weight = graph_.value(c.weight);
    if (c.transposed) return takes_transposed_conv(weight, c.args);
    return takes_image_conv(weight, c.args.groups, graph_.value(c.x).sizes[1]);
  }

  void pack(NodeId n, Convolution c) {
    const Value& weight = graph_.value(c.weight);
    const bool few = weight.sizes[0] < kFewestChannels, own = is_own(c);
    const bool dnn = weight.sizes.size() == 4 && !c.transposed;
    if (!own && (few || !dnn || !target_.packed_convolutions)) return;
    Rewriter r(&graph_, node_of(n));
    NodeId last = n;
    ValueId out = node_of(n).outputs[0];
    const auto absorb = [&](NodeId by) {
      absorbed_.insert(last);
      r.covers(node_of(by));
      last = by;
      out = node_of(by).outputs[0];
    };
    NodeId reader = next(out, c.x);
    if (reader != kNone && is_plain_batch_norm(graph_, node_of(reader))) {
      fold(node_of(reader), own, &c, &r);
      absorb(reader);
      reader = next(out, c.x);
    }
    std::optional<Activation> activation;
    if (!own && reader != kNone) activation = activation_of(node_of(reader));
    if (activation) absorb(reader);
    const int64_t products = graph_.value(c.transposed ? c.x : out).elements() *
                             graph_.value(c.weight).elements() / graph_.value(c.weight).sizes[0];
    const bool by_channel = c.args.groups > 1 && graph_.value(c.weight).sizes[1] == 1;
    products_ += kProductsPerCall + (by_channel ? kWorthByChannel : 1) * products;
    packed_[last] =
        own ? own_call(c, out, &r) : call(c, activation.value_or(Activation{}), out, &r);
  }

  /// What the batch norm adds goes into the bias. Its factor is the sums' factor where the own
  /// kernel has one: in the weights it would round each of them once more, by the same error at
  /// every pixel, which no mean over pixels evens out.
  void fold(const Node& norm, bool own, Convolution* c, Rewriter* r) {
    const Affine affine = affine_of(graph_, norm, r);
    if (own) {
      c->scale = affine.alpha;
    } else {
      c->weight = scaled_weight(&graph_, c->weight, affine, r);
    }
    c->bias = folded_bias(c->bias, affine, r);
  }

  Node own_call(const Convolution& c, ValueId out, Rewriter* r) const {
    const Arg bias = c.bias == kNone ? Arg{} : tensor(c.bias);
    std::vector<Arg> args;
    if (c.transposed) {
      args = {tensor(c.x),
              tensor(ordered_by_phase(c.weight, c.args, &graph_, r)),
              bias,
              {c.args.stride},
              {c.args.padding},
              {Arg::Ints(c.args.stride.size(), 0)},
              {c.args.groups},
              {c.args.dilation}};
    } else {
      args = {tensor(c.x),      tensor(c.weight),  bias,           {c.args.stride},
              {c.args.padding}, {c.args.dilation}, {c.args.groups}};
    }
    if (c.scale != kNone) args.push_back(tensor(c.scale));
    r->call(c.transposed ? kTransposedConv : kImageConv, std::move(args), out);
    return std::move(r->take().front());
  }

  Node call(const Convolution& c, const Activation& activation, ValueId out, Rewriter* r) const {
    const ValueId weight = r->setup("mkldnn::_reorder_convolution_weight",
                                    {tensor(c.weight),
                                     {c.args.padding},
                                     {c.args.stride},
                                     {c.args.dilation},
                                     {c.args.groups},
                                     {graph_.value(c.x).sizes}},
                                    c.weight);
    graph_.values[static_cast<size_t>(weight)].opaque = true;
    r->call(kPackedConv,
            {tensor(c.x),
             tensor(weight),
             c.bias == kNone ? Arg{} : tensor(c.bias),
             {c.args.padding},
             {c.args.stride},
             {c.args.dilation},
             {c.args.groups},
             {activation.name},
             {Arg::Floats{}},
             {activation.algorithm}},
            out);
    return std::move(r->take().front());
  }

  Graph& graph_;
  const Target& target_;
  Uses uses_;
  std::set<StorageId> written_;
  std::set<NodeId> absorbed_;
  std::map<NodeId, Node> packed_;
  int64_t products_ = 0;
};

}  // namespace

bool is_packed_convolution(const Node& node) {
  return node.op == kPackedConv || node.op == kImageConv || node.op == kTransposedConv;
}

void pack_convolutions(Graph* graph, const Target& target) {
  if (!target.packed_convolutions && !target.hand_kernels) return;
  Graph packed = *graph;
  const int64_t products = Packer(&packed, target).run();
  const bool norms =
      target.hand_kernels && target.float_rows && target.rounding != Rounding::kExact;
  if (products > 0 && products >= kProductsPerCopy * use_channels_last(&packed, norms))
    *graph = std::move(packed);
}

}  // namespace torchweld
