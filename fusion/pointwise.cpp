// Nodes as rows of the op table.
#include "fusion/pointwise.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/op_table.h"

namespace torchweld {
namespace {

OpArg scalar_arg(const Arg& arg) {
  OpArg out;
  if (const auto* i = std::get_if<int64_t>(&arg.value)) {
    out.kind = OpArg::Kind::kScalarInt;
    out.i = *i;
  } else if (const auto* d = std::get_if<double>(&arg.value)) {
    out.kind = OpArg::Kind::kScalarFloat;
    out.f = *d;
  } else if (const auto* b = std::get_if<bool>(&arg.value)) {
    out.kind = OpArg::Kind::kScalarBool;
    out.i = *b ? 1 : 0;
  } else if (const auto* s = std::get_if<std::string>(&arg.value)) {
    out.kind = OpArg::Kind::kString;
    out.s = *s;
  }
  return out;
}

bool broadcasts_to(const std::vector<int64_t>& from, const std::vector<int64_t>& to) {
  if (from.size() > to.size()) return false;
  for (size_t i = 0; i < from.size(); ++i) {
    const int64_t extent = from[from.size() - 1 - i];
    if (extent != 1 && extent != to[to.size() - 1 - i]) return false;
  }
  return true;
}

}  // namespace

std::optional<int16_t> emit_node(BodyBuilder& body, const Graph& graph, const Node& node,
                                 const std::function<int16_t(ValueId)>& value_of,
                                 std::string* why) {
  const OpRow* row = find_op(node.op);
  if (row == nullptr) {
    *why = kNoKernel;
    return std::nullopt;
  }
  std::vector<OpArg> args;
  for (const Arg& arg : node.args) {
    const auto* tensor = arg.tensor();
    if (tensor == nullptr || tensor->id == kNone) {
      args.push_back(scalar_arg(arg));
      continue;
    }
    const Value& v = graph.value(tensor->id);
    OpArg out;
    out.kind = OpArg::Kind::kTensor;
    out.value = value_of(tensor->id);
    out.dtype = v.dtype;
    out.dims = static_cast<int>(v.sizes.size());
    args.push_back(out);
  }
  const ValueId made = node.writes.empty() ? node.outputs[0] : node.writes[0];
  return emit_op(body, *row, args, graph.value(made).dtype, why);
}

bool is_pointwise(const Graph& graph, const Node& node, std::string* why) {
  if (find_op(node.op) == nullptr) {
    *why = kNoKernel;
    return false;
  }
  if (node.reads_host || node.writes.size() > 1 ||
      (node.writes.empty() && (node.outputs.size() != 1 || node.outputs[0] == kNone))) {
    *why = "has no single result";
    return false;
  }
  const Value& out = graph.value(node.writes.empty() ? node.outputs[0] : node.writes[0]);
  bool plain = !out.opaque, fits = true;
  for_each_input(node, [&](ValueId id) {
    plain &= !graph.value(id).opaque;
    fits &= broadcasts_to(graph.value(id).sizes, out.sizes);
  });
  for (const Arg& a : node.args) plain &= a.tensor_list() == nullptr;
  if (!plain) *why = "an operand's dtype is one that kernels don't compute on";
  if (!fits) *why = "an operand doesn't broadcast to the result";
  if (!plain || !fits) return false;
  BodyBuilder probe;
  int16_t operand = 0;
  const auto load = [&](ValueId id) { return probe.load(operand++, graph.value(id).dtype); };
  return emit_node(probe, graph, node, load, why).has_value();
}

}  // namespace torchweld
