#include "fusion/plain_operands.h"

#include <utility>

#include "fusion/node_args.h"
#include "fusion/rewriter.h"

namespace torchweld {
namespace {

void spread_weight(Graph* graph, Node* node) {
  const ValueId x = tensor_arg(*node, 0), weight = tensor_arg(*node, 1);
  if (x == kNone || weight == kNone || graph->value(weight).opaque) return;
  const size_t rank = graph->value(x).sizes.size();
  Value view = graph->value(weight);
  if (view.sizes.size() != 1 || view.sizes[0] == 1 || rank < 3) return;
  view.sizes.resize(rank - 1, 1);
  view.strides.resize(rank - 1, 1);
  node->args[1] = {Arg::Tensor{graph->add(std::move(view))}};
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

}  // namespace

void plain_operands(Graph* graph) {
  for (Node& node : graph->nodes) {
    if (node.op == "aten::prelu" || node.op == "aten::_prelu_kernel") spread_weight(graph, &node);
    if (node.op == "aten::type_as" || node.op == "aten::to.other") forget_example(graph, &node);
    if (has_given_statistics(node)) node.op = "aten::batch_norm";
  }
}

}  // namespace torchweld
