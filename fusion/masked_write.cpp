#include "fusion/masked_write.h"

#include <optional>
#include <string>

#include "fusion/node_args.h"

namespace torchweld {
namespace {

/// "aten::masked_fill_.Tensor" of "aten::index_put_"; empty for other operators.
std::string masked_name(const std::string& op) {
  if (op == "aten::index_put" || op == "aten::index_put.hacked_twin")
    return "aten::masked_fill.Tensor";
  if (op == "aten::index_put_" || op == "aten::index_put_.hacked_twin")
    return "aten::masked_fill_.Tensor";
  return "";
}

/// The only index, a mask, over the dims of x from where it stands in the list.
std::optional<Value> mask_over(const Graph& graph, const Value& x, const Arg::TensorList& list) {
  size_t begin = 0;
  while (begin < list.ids.size() && list.ids[begin] == kNone) ++begin;
  if (begin + 1 != list.ids.size()) return std::nullopt;
  Value mask = graph.value(list.ids[begin]);
  if (mask.dtype != DType::kBool || mask.opaque || begin + mask.sizes.size() > x.sizes.size())
    return std::nullopt;
  for (size_t d = 0; d < mask.sizes.size(); ++d) {
    if (mask.sizes[d] != x.sizes[begin + d]) return std::nullopt;
  }
  mask.sizes.resize(x.sizes.size() - begin, 1);
  mask.strides.resize(x.sizes.size() - begin, 0);
  mask.has_scalar = false;
  return mask;
}

}  // namespace

void name_masked_writes(Graph* graph) {
  for (Node& node : graph->nodes) {
    const std::string name = masked_name(node.op);
    if (name.empty() || flag_arg(node, 3)) continue;
    const ValueId x = tensor_arg(node, 0), number = tensor_arg(node, 2);
    const auto* list = node.args[1].tensor_list();
    if (x == kNone || number == kNone || list == nullptr) continue;
    Value one = graph->value(number);
    const auto mask = mask_over(*graph, graph->value(x), *list);
    if (!mask || one.elements() != 1 || one.dtype != graph->value(x).dtype || one.opaque) continue;
    ValueId value = number;
    if (!one.sizes.empty()) {
      one.sizes.clear();
      one.strides.clear();
      value = graph->add(std::move(one));
    }
    node.op = name;
    node.args = {{Arg::Tensor{x}}, {Arg::Tensor{graph->add(*mask)}}, {Arg::Tensor{value}}};
  }
}

}  // namespace torchweld
