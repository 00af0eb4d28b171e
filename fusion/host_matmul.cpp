#include "fusion/host_matmul.h"

#include <algorithm>
#include <optional>

#include "fusion/batched_product.h"
#include "fusion/host_epilogue.h"
#include "fusion/matmul.h"
#include "fusion/node_args.h"
#include "fusion/rewriter.h"

namespace torchweld {
namespace {

/// Rows of a value whose leading dimensions are one walk: their count and stride.
std::optional<std::pair<int64_t, int64_t>> rows_of(const Value& v) {
  if (v.sizes.empty() || (v.strides.back() != 1 && v.sizes.back() != 1)) return std::nullopt;
  int64_t rows = 1, stride = v.sizes.back();
  bool first = true;
  for (size_t d = v.sizes.size() - 1; d-- > 0;) {
    if (v.sizes[d] == 1) continue;
    if (first) stride = v.strides[d];
    if (!first && v.strides[d] != rows * stride) return std::nullopt;
    first = false;
    rows *= v.sizes[d];
  }
  return std::pair(rows, stride);
}

bool is_one(const Arg& arg) {
  const auto* i = std::get_if<int64_t>(&arg.value);
  const auto* d = std::get_if<double>(&arg.value);
  return (i != nullptr && *i == 1) || (d != nullptr && *d == 1.0);
}

ValueId tensor_of(const Arg& arg) { return arg.tensor() == nullptr ? kNone : arg.tensor()->id; }

bool has_all(const Node& node, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (tensor_arg(node, i) == kNone) return false;
  }
  return true;
}

bool has_operands(const Node& node) {
  const bool known = node.op == "aten::linear" || node.op == "aten::mm" ||
                     node.op == "aten::matmul" || node.op == "aten::addmm";
  return known && has_all(node, node.op == "aten::addmm" ? 3 : 2);
}

bool make_product(const Graph& graph, const Node& node, HostMatmul* out) {
  const bool linear = node.op == "aten::linear", addmm = node.op == "aten::addmm";
  if (!linear && !addmm && node.op != "aten::mm" && node.op != "aten::matmul") return false;
  if (addmm && !(is_one(node.args[3]) && is_one(node.args[4]))) return false;
  const auto* w = node.args[addmm ? 2 : 1].tensor();
  out->x_value = node.args[addmm ? 1 : 0].tensor()->id;
  out->out_value = node.outputs[0];
  out->bias_value = addmm ? tensor_of(node.args[0]) : linear ? tensor_of(node.args[2]) : kNone;
  const Value& weight = graph.value(w->id);
  const Value& x = graph.value(out->x_value);
  const Value& y = graph.value(out->out_value);
  if (graph.storage_of(w->id).kind != Storage::Kind::kConstant || weight.sizes.size() != 2)
    return false;
  if (weight.dtype != DType::kF32 || x.dtype != DType::kF32 || y.dtype != DType::kF32) return false;
  const auto x_rows = rows_of(x), y_rows = rows_of(y);
  if (!x_rows || !y_rows || x.elements() == 0) return false;
  out->m = x_rows->first;
  out->k = x.sizes.back();
  out->n = y.sizes.back();
  if (out->bias_value != kNone) {
    const Value& bias = graph.value(out->bias_value);
    if (bias.sizes != std::vector<int64_t>{out->n} || bias.dtype != DType::kF32 ||
        (bias.strides[0] != 1 && out->n != 1))
      return false;
  }
  out->x_row_stride = x_rows->second;
  out->out_row_stride = y_rows->second;
  out->weight = w->id;
  out->weight_k_stride = weight.strides[linear ? 1 : 0];
  out->weight_n_stride = weight.strides[linear ? 0 : 1];
  out->packed =
      !x86::is_best_in_place(out->m, out->k, out->n, out->weight_k_stride == 1 || out->k == 1);
  return true;
}

}  // namespace

bool add_epilogue(const Graph& graph, const Node& node, HostMatmul* m) {
  std::optional<std::pair<int64_t, int64_t>> rows;
  const auto takes = [&](ValueId summand) {
    rows = rows_of(graph.value(summand));
    return rows.has_value();
  };
  if (!add_host_epilogue(graph, node, takes, m)) return false;
  if (rows) m->summand_row_stride = rows->second;
  return true;
}

namespace {

/// A product of matrices made in the call, of copies of those that don't lie as such: there a
/// number is used often enough to be worth it.
std::optional<std::vector<Node>> product_of_copies(Graph* graph, const Node& node) {
  constexpr int64_t kFewestUses = 4;
  BatchedProductCall call;
  if (node.op != "aten::matmul" && node.op != "aten::bmm" && node.op != "aten::mm")
    return std::nullopt;
  if (make_batched_product(*graph, node, &call)) return std::nullopt;
  const int64_t columns = graph->value(tensor_arg(node, 0)).sizes.back();
  const int64_t products = graph->value(node.outputs[0]).elements() * columns;
  for (const auto& [a, b] : {std::pair{true, false}, {false, true}, {true, true}}) {
    Rewriter r(graph, node);
    Node of_copies = node;
    bool pays = true;
    for (const size_t i : {size_t{0}, size_t{1}}) {
      const ValueId id = tensor_arg(node, i);
      if (!(i == 0 ? a : b)) continue;
      pays &= !graph->value(id).opaque && products >= kFewestUses * graph->value(id).elements();
      of_copies.args[i] = tensor(r.like("aten::clone", {node.args[i], {int64_t{0}}}, id));
    }
    if (!pays || !make_batched_product(*graph, of_copies, &call)) continue;
    std::vector<Node> nodes = r.take();
    nodes.push_back(std::move(of_copies));
    return nodes;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::vector<Node>> product_of_vectors(Graph* graph, const Node& node) {
  const bool known = node.op == "aten::mv" || node.op == "aten::dot" || node.op == "aten::matmul";
  if (!known || !node.pure || node.outputs.size() != 1 || node.outputs[0] == kNone ||
      !has_all(node, 2))
    return std::nullopt;
  const Value a = graph->value(tensor_arg(node, 0)), b = graph->value(tensor_arg(node, 1));
  if ((a.sizes.size() != 1 && b.sizes.size() != 1) || a.sizes.empty() || b.sizes.empty())
    return std::nullopt;
  const auto insert = [](Value v, size_t at) {
    v.sizes.insert(v.sizes.begin() + static_cast<std::ptrdiff_t>(at), 1);
    v.strides.insert(v.strides.begin() + static_cast<std::ptrdiff_t>(at), 1);
    v.has_scalar = false;
    return v;
  };
  Value x = a, w = b, out = graph->value(node.outputs[0]);
  if (b.sizes.size() == 1) {
    w = insert(w, 1);
    out = insert(out, out.sizes.size());
  }
  if (a.sizes.size() == 1) {
    x = insert(x, 0);
    out = insert(out, out.sizes.size() - 1);
  }
  Rewriter r(graph, node);
  r.call("aten::matmul", {tensor(graph->add(std::move(x))), tensor(graph->add(std::move(w)))},
         graph->add(std::move(out)));
  std::vector<Node> nodes = r.take();
  HostMatmul by_hand;
  BatchedProductCall call;
  const bool taken =
      make_product(*graph, nodes[0], &by_hand) || make_batched_product(*graph, nodes[0], &call);
  return taken ? std::optional(std::move(nodes)) : std::nullopt;
}

std::optional<std::vector<Node>> product_of_copied_rows(Graph* graph, const Node& node,
                                                        bool by_library) {
  const auto is_taken = [&](const Node& product) {
    HostMatmul by_hand;
    Matmul matmul;
    std::string why;
    return by_library ? make_matmul(*graph, product, &matmul, &why)
                      : make_product(*graph, product, &by_hand);
  };
  if (!node.pure || node.outputs.size() != 1 || node.outputs[0] == kNone || !has_operands(node) ||
      is_taken(node))
    return std::nullopt;
  const size_t at = node.op == "aten::addmm" ? 1 : 0;
  const ValueId x = tensor_arg(node, at);
  if (graph->value(x).opaque || graph->value(x).sizes.empty()) return std::nullopt;
  if (rows_of(graph->value(x))) return by_library ? std::nullopt : product_of_copies(graph, node);
  Rewriter r(graph, node);
  Node of_copy = node;
  const ValueId rows = r.like("aten::clone", {node.args[at], {int64_t{0}}}, x);
  of_copy.args[at] = tensor(rows);
  if (!is_taken(of_copy)) return by_library ? std::nullopt : product_of_copies(graph, node);
  std::vector<Node> nodes = r.take();
  nodes.push_back(std::move(of_copy));
  return nodes;
}

bool make_host_matmul(const Graph& graph, const std::vector<NodeId>& nodes, const Target& target,
                      HostMatmul* out) {
  const auto at = [&](NodeId n) -> const Node& { return graph.nodes[static_cast<size_t>(n)]; };
  const Node& first = at(nodes[0]);
  if (!target.hand_kernels || first.outputs.size() != 1 || first.outputs[0] == kNone || !first.pure)
    return false;
  return make_product(graph, first, out) &&
         std::all_of(nodes.begin() + 1, nodes.end(),
                     [&](NodeId n) { return add_epilogue(graph, at(n), out); });
}

}  // namespace torchweld
