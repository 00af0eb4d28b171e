#include "fusion/plain_operands.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fusion/node_args.h"
#include "fusion/rewriter.h"

namespace torchweld {
namespace {

using std::string_view_literals::operator""sv;

/// x > 0 ? x : weight * x, where there is a weight a channel, which is dim 1: it broadcasts once it
/// has the dims behind that. Empty for other nodes.
std::vector<Node> prelu_nodes(Graph* graph, const Node& node) {
  const ValueId x = tensor_arg(node, 0), weight = tensor_arg(node, 1), out = node.outputs[0];
  if (x == kNone || weight == kNone || out == kNone) return {};
  Value by_channel = graph->value(weight);
  const Value made = graph->value(out);
  const size_t rank = made.sizes.size();
  if (by_channel.opaque || made.opaque || by_channel.dtype != made.dtype || rank < 3 ||
      by_channel.sizes.size() != 1 || by_channel.sizes[0] == 1)
    return {};
  by_channel.sizes.resize(rank - 1, 1);
  by_channel.strides.resize(rank - 1, 1);
  Rewriter r(graph, node);
  const auto laid_as_result = [&](DType dtype) {
    const ValueId id = r.fresh(dtype, made.sizes);
    graph->values[static_cast<size_t>(id)].strides = made.strides;
    return id;
  };
  const ValueId slope = graph->add(std::move(by_channel));
  const ValueId positive =
      r.call("aten::gt.Scalar", {tensor(x), {int64_t{0}}}, laid_as_result(DType::kBool));
  const ValueId scaled =
      r.call("aten::mul.Tensor", {tensor(x), tensor(slope)}, laid_as_result(made.dtype));
  r.call("aten::where.self", {tensor(positive), tensor(x), tensor(scaled)}, out);
  std::vector<Node> nodes = r.take();
  for (Node& part : nodes) part.part_of = node.op;
  return nodes;
}

void forget_example(Graph* graph, Node* node) {
  const ValueId x = tensor_arg(*node, 0), out = node->outputs[0];
  if (x == kNone || out == kNone || graph->value(x).opaque || graph->value(out).opaque) return;
  Rewriter r(graph, *node);
  r.cast(x, out);
  *node = r.take().front();
}

// input, weight, bias, mean, variance, whether to use the input's own statistics ...
bool has_given_statistics(const Node& node) {
  return node.op == "aten::instance_norm" && !bool_arg(node, 5).value_or(true) &&
         tensor_arg(node, 3) != kNone && tensor_arg(node, 4) != kNone;
}

bool is_pooling(const std::string& op) {
  return op.starts_with("aten::avg_pool") || op.starts_with("aten::max_pool");
}

/// All of list argument `i` for each of the `dims`: one entry stands for all of them, none for
/// `missing`. Nullopt where it is no list.
std::optional<Arg::Ints> entries(const Node& node, size_t i, size_t dims, int64_t missing) {
  const Arg::Ints* list = ints_arg(node, i);
  if (list == nullptr || (list->size() > 1 && list->size() != dims)) return std::nullopt;
  if (list->size() == dims) return *list;
  return Arg::Ints(dims, list->empty() ? missing : list->front());
}

/// The only window of a dim without padding ends where the image does.
void clip_windows(const Graph& graph, Node* node) {
  const ValueId x = tensor_arg(*node, 0), out = node->outputs.empty() ? kNone : node->outputs[0];
  const size_t dims = static_cast<size_t>(node->op["aten::avg_pool"sv.size()] - '0');
  if (x == kNone || out == kNone || dims < 1 || dims > 3 || graph.value(x).sizes.size() <= dims ||
      graph.value(out).sizes.size() <= dims)
    return;
  auto wide = entries(*node, 1, dims, 1);
  const auto step = entries(*node, 2, dims, 0), padding = entries(*node, 3, dims, 0);
  const bool averages = node->op.starts_with("aten::avg_pool");
  const auto dilation = averages ? std::optional(Arg::Ints(dims, 1)) : entries(*node, 4, dims, 1);
  if (!wide || !step || !padding || !dilation) return;
  for (size_t d = 0; d < dims; ++d) {
    const int64_t in = *(graph.value(x).sizes.end() - static_cast<std::ptrdiff_t>(dims - d));
    const int64_t made = *(graph.value(out).sizes.end() - static_cast<std::ptrdiff_t>(dims - d));
    if (made == 1 && (*padding)[d] == 0 && (*dilation)[d] == 1)
      (*wide)[d] = std::min((*wide)[d], in);
  }
  node->args[1] = {std::move(*wide)};
}

}  // namespace

void plain_operands(Graph* graph) {
  std::vector<Node> nodes;
  for (Node& node : graph->nodes) {
    if (node.op == "aten::type_as" || node.op == "aten::to.other") forget_example(graph, &node);
    if (has_given_statistics(node)) node.op = "aten::batch_norm";
    if (is_pooling(node.op)) clip_windows(*graph, &node);
    std::vector<Node> parts;
    if (node.op == "aten::prelu" || node.op == "aten::_prelu_kernel")
      parts = prelu_nodes(graph, node);
    if (parts.empty()) parts.push_back(std::move(node));
    for (Node& part : parts) nodes.push_back(std::move(part));
  }
  graph->nodes = std::move(nodes);
}

}  // namespace torchweld
