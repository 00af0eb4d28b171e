#include "fusion/host_epilogue.h"

#include <optional>

#include "fusion/node_args.h"

namespace torchweld {
namespace {

bool is_result(const Graph& graph, const HostEpilogue& e, ValueId id) {
  return id != kNone && graph.value(id).same_layout(graph.value(e.out_value));
}

/// The range of a clamp by numbers; nullopt for other nodes.
std::optional<x86::Clamp> clamp_of(const Node& node) {
  x86::Clamp clamp;
  const auto limit = [&node](size_t i, float* to) {
    const auto number = number_arg(node, i);
    if (number) *to = static_cast<float>(*number);
    return number.has_value() || (i < node.args.size() && node.args[i] == Arg{});
  };
  const auto both = [&] { return limit(1, &clamp.low) && limit(2, &clamp.high); };
  if (node.op == "aten::relu") return x86::Clamp::relu();
  if (node.op == "aten::relu6") return x86::Clamp{0, 6};
  if (node.op == "aten::clamp_min")
    return limit(1, &clamp.low) ? std::optional(clamp) : std::nullopt;
  if (node.op == "aten::clamp_max")
    return limit(1, &clamp.high) ? std::optional(clamp) : std::nullopt;
  if (node.op == "aten::clamp" || node.op == "aten::hardtanh")
    return both() ? std::optional(clamp) : std::nullopt;
  return std::nullopt;
}

}  // namespace

bool add_host_epilogue(const Graph& graph, const Node& node,
                       const std::function<bool(ValueId summand)>& takes, HostEpilogue* e) {
  if (e->clamps || !node.pure || node.outputs.size() != 1 || node.outputs[0] == kNone) return false;
  const Value& made = graph.value(e->out_value);
  const Value& out = graph.value(node.outputs[0]);
  const bool is_alike = !out.opaque && out.dtype == DType::kF32 && out.sizes == made.sizes &&
                        out.strides == made.strides;
  if (!is_alike || graph.storage_of(node.outputs[0]).kind != Storage::Kind::kLocal) return false;
  const ValueId a = tensor_arg(node, 0), b = tensor_arg(node, 1);
  if (node.op == "aten::add.Tensor") {
    const bool first = is_result(graph, *e, a);
    const ValueId summand = first ? b : a;
    if (e->summand_value != kNone || number_arg(node, 2) != 1.0 || summand == kNone ||
        first == is_result(graph, *e, b))
      return false;
    const Value& v = graph.value(summand);
    if (v.opaque || v.has_scalar || v.dtype != DType::kF32 || v.sizes != out.sizes ||
        v.storage == made.storage || !takes(summand))
      return false;
    e->summand_value = summand;
  } else {
    const auto clamp = is_result(graph, *e, a) ? clamp_of(node) : std::nullopt;
    if (!clamp) return false;
    e->clamps = true;
    e->clamp = *clamp;
  }
  e->out_value = node.outputs[0];
  return true;
}

}  // namespace torchweld
