#include "fusion/gated_unit.h"

#include "fusion/node_args.h"
#include "fusion/rewriter.h"

namespace torchweld {

std::optional<std::vector<Node>> gated_unit_nodes(Graph* graph, const Node& node) {
  const ValueId x = node.op == "aten::glu" ? tensor_arg(node, 0) : kNone;
  const auto dim = int_arg(node, 1);
  if (x == kNone || !dim || !node.pure || node.outputs.size() != 1 || node.outputs[0] == kNone)
    return std::nullopt;
  Value half = graph->value(x);
  const Value& out = graph->value(node.outputs[0]);
  if (half.opaque || out.opaque || half.dtype != compute_type(half.dtype) || out.elements() == 0)
    return std::nullopt;
  const size_t d = whole_dim(*dim, half.sizes.size());
  half.sizes[d] /= 2;
  Value gate = half;
  gate.offset += half.sizes[d] * half.strides[d];
  const ValueId passed = graph->add(std::move(half)), gating = graph->add(std::move(gate));
  Rewriter r(graph, node);
  const ValueId share = r.like("aten::sigmoid", {tensor(gating)}, node.outputs[0]);
  r.call("aten::mul.Tensor", {tensor(passed), tensor(share)}, node.outputs[0]);
  return r.take();
}

}  // namespace torchweld
