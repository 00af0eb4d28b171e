#include "fusion/spellings.h"

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "fusion/node_args.h"
#include "fusion/rewriter.h"

namespace torchweld {
namespace {

using Nodes = std::optional<std::vector<Node>>;

Arg::Ints all_dims(const Value& v) {
  Arg::Ints dims;
  for (size_t d = 0; d < v.sizes.size(); ++d) dims.push_back(static_cast<int64_t>(d));
  return dims;
}

bool names_frobenius(const Node& node, size_t i) {
  const Arg* arg = arg_at(node, i);
  const auto* name = arg == nullptr ? nullptr : std::get_if<std::string>(&arg->value);
  return name != nullptr && *name == "fro";
}

/// The norm of all elements of these dims; keepdim and dtype are the arguments behind.
Nodes vector_norm(Graph* graph, const Node& node, double order, Arg::Ints dims, size_t keepdim) {
  Rewriter r(graph, node);
  const Arg* dtype = arg_at(node, keepdim + 1);
  r.call("aten::linalg_vector_norm",
         {node.args[0],
          {order},
          {std::move(dims)},
          {flag_arg(node, keepdim)},
          dtype == nullptr ? Arg{} : *dtype},
         node.outputs[0]);
  return r.take();
}

/// self, ord, dim, keepdim, dtype. Of two dims and an order it is a matrix's norm, unless the order
/// is Frobenius's.
Nodes norm(Graph* graph, const Node& node) {
  const Value& x = graph->value(tensor_arg(node, 0));
  const Arg::Ints* given = ints_arg(node, 2);
  const Arg::Ints dims = given != nullptr ? *given : all_dims(x);
  if (is_none(node, 1) || (names_frobenius(node, 1) && dims.size() <= 2))
    return vector_norm(graph, node, 2, dims, 3);
  const auto order = number_arg(node, 1);
  if (!order || dims.size() != 1) return std::nullopt;
  return vector_norm(graph, node, *order, dims, 3);
}

/// self, ord, dim, keepdim, dtype.
Nodes matrix_norm(Graph* graph, const Node& node) {
  const Arg::Ints* dims = ints_arg(node, 2);
  if (!names_frobenius(node, 1) || dims == nullptr) return std::nullopt;
  return vector_norm(graph, node, 2, *dims, 3);
}

Nodes reshape_as(Graph* graph, const Node& node) {
  Rewriter r(graph, node);
  r.call("aten::reshape", {node.args[0], {Arg::Ints(graph->value(node.outputs[0]).sizes)}},
         node.outputs[0]);
  return r.take();
}

Nodes outer(Graph* graph, const Node& node) {
  Value column = graph->value(tensor_arg(node, 0));
  const ValueId row = tensor_arg(node, 1);
  if (row == kNone || column.sizes.size() != 1 || column.opaque) return std::nullopt;
  column.sizes.push_back(1);
  column.strides.push_back(1);
  Rewriter r(graph, node);
  r.call("aten::mul.Tensor", {tensor(graph->add(std::move(column))), tensor(row)}, node.outputs[0]);
  return r.take();
}

Nodes count_nonzero(Graph* graph, const Node& node) {
  const ValueId x = tensor_arg(node, 0);
  const Value v = graph->value(x);
  if (v.opaque || v.dtype == DType::kOther) return std::nullopt;
  Arg::Ints dims = all_dims(v);
  if (const Arg::Ints* given = ints_arg(node, 1); given != nullptr && !given->empty()) {
    dims = *given;
  } else if (const auto dim = int_arg(node, 1)) {
    dims = {*dim};
  }
  Rewriter r(graph, node);
  const ValueId truth =
      v.dtype == DType::kBool
          ? x
          : r.call("aten::ne.Scalar", {tensor(x), {int64_t{0}}}, r.fresh(DType::kBool, v.sizes));
  r.call("aten::sum.dim_IntList", {tensor(truth), {std::move(dims)}, {false}, Arg{}},
         node.outputs[0]);
  return r.take();
}

/// The first half of each dim, of odd ones a shorter one, moves behind the rest; its inverse.
Nodes shift(Graph* graph, const Node& node) {
  const Value& x = graph->value(tensor_arg(node, 0));
  const Arg::Ints* given = ints_arg(node, 1);
  Arg::Ints dims = given != nullptr ? *given : all_dims(x), shifts;
  const bool inverse = node.op == "aten::fft_ifftshift";
  for (int64_t& dim : dims) {
    const size_t d = whole_dim(dim, x.sizes.size());
    dim = static_cast<int64_t>(d);
    shifts.push_back((x.sizes[d] + (inverse ? 1 : 0)) / 2);
  }
  if (dims.empty()) return std::nullopt;
  Rewriter r(graph, node);
  r.call("aten::roll", {node.args[0], {std::move(shifts)}, {std::move(dims)}}, node.outputs[0]);
  return r.take();
}

/// Repeated over dims of size 1 to these sizes.
std::optional<Value> expanded(Value v, const std::vector<int64_t>& sizes) {
  if (v.sizes.size() != sizes.size()) return std::nullopt;
  for (size_t d = 0; d < sizes.size(); ++d) {
    if (v.sizes[d] == 1 && sizes[d] != 1) v.strides[d] = 0;
  }
  v.sizes = sizes;
  return v;
}

/// a1 b2 - a2 b1, a2 b0 - a0 b2, a0 b1 - a1 b0.
Nodes cross(Graph* graph, const Node& node) {
  const ValueId b = tensor_arg(node, 1), out = node.outputs[0];
  if (b == kNone) return std::nullopt;
  const Value made = graph->value(out);
  const auto x = expanded(graph->value(tensor_arg(node, 0)), made.sizes);
  const auto y = expanded(graph->value(b), made.sizes);
  auto dim = dim_arg(node, 2, made.sizes.size());
  if (node.op == "aten::cross" && is_none(node, 2))  // the first of three
    dim = static_cast<size_t>(std::find(made.sizes.begin(), made.sizes.end(), 3) -
                              made.sizes.begin());
  if (!dim || !x || !y || x->opaque || y->opaque || made.opaque || x->dtype != made.dtype ||
      y->dtype != made.dtype || made.elements() == 0)
    return std::nullopt;
  Rewriter r(graph, node);
  const auto rolled = [&](const Value& v, int64_t by) {
    const Arg::Ints along{static_cast<int64_t>(*dim)};
    return r.like("aten::roll", {tensor(graph->add(v)), {Arg::Ints{by}}, {along}}, out);
  };
  const auto product = [&](ValueId p, ValueId q) {
    return r.like("aten::mul.Tensor", {tensor(p), tensor(q)}, out);
  };
  const ValueId first = product(rolled(*x, -1), rolled(*y, -2)),
                second = product(rolled(*x, -2), rolled(*y, -1));
  r.call("aten::sub.Tensor", {tensor(first), tensor(second), {int64_t{1}}}, out);
  return r.take();
}

/// x1' W y + bias with W [outputs, m, n]: W's rows by y first, for which one product is enough,
/// then sums over m.
Nodes bilinear(Graph* graph, const Node& node) {
  const ValueId x = tensor_arg(node, 0), y = tensor_arg(node, 1), w = tensor_arg(node, 2);
  const ValueId bias = tensor_arg(node, 3), out = node.outputs[0];
  if (y == kNone || w == kNone) return std::nullopt;
  const Value made = graph->value(out), weight = graph->value(w);
  Value first = graph->value(x), rows = weight;
  const size_t rank = made.sizes.size();
  bool plain = made.dtype == DType::kF32 || made.dtype == DType::kF64;
  for_each_input(node, [&](ValueId id) {
    const Value& v = graph->value(id);
    plain &= !v.opaque && v.dtype == made.dtype && v.elements() > 0;
  });
  if (!plain || rank == 0 || first.sizes.size() != rank || weight.sizes.size() != 3 ||
      weight.strides != contiguous_strides(weight.sizes))
    return std::nullopt;
  rows.sizes = {weight.sizes[0] * weight.sizes[1], weight.sizes[2]};
  rows.strides = {weight.sizes[2], 1};
  std::vector<int64_t> sizes = made.sizes;
  sizes.back() = rows.sizes[0];
  Rewriter r(graph, node);
  const ValueId of_y =
      r.call("aten::linear", {tensor(y), tensor(graph->add(std::move(rows))), Arg{}},
             r.fresh(made.dtype, sizes));
  Value split = graph->value(of_y);
  split.sizes.back() = weight.sizes[0];
  split.sizes.push_back(weight.sizes[1]);
  split.strides = contiguous_strides(split.sizes);
  first.sizes.insert(first.sizes.end() - 1, 1);
  first.strides.insert(first.strides.end() - 1, 0);
  const ValueId products =
      r.call("aten::mul.Tensor", {tensor(graph->add(split)), tensor(graph->add(std::move(first)))},
             r.fresh(made.dtype, split.sizes));
  const Arg::Ints last{static_cast<int64_t>(rank)};
  const ValueId sums = bias == kNone ? out : r.fresh(made.dtype, made.sizes);
  r.call("aten::sum.dim_IntList", {tensor(products), {last}, {false}, Arg{}}, sums);
  if (bias != kNone) r.call("aten::add.Tensor", {tensor(sums), tensor(bias), {int64_t{1}}}, out);
  return r.take();
}

/// A sum over dims of size 1, or of a scalar.
Nodes sum_of_one(Graph* graph, const Node& node) {
  const Arg::Ints* dims = ints_arg(node, 1);
  const ValueId x = tensor_arg(node, 0), out = node.outputs[0];
  Value v = graph->value(x);
  if (dims == nullptr || dims->empty() || v.opaque || v.dtype != graph->value(out).dtype)
    return std::nullopt;
  std::vector<bool> summed(v.sizes.size());
  if (!v.sizes.empty()) {  // a scalar takes a dim, too
    for (const int64_t dim : *dims) summed[whole_dim(dim, v.sizes.size())] = true;
  }
  for (size_t d = 0; d < v.sizes.size(); ++d) {
    if (summed[d] && v.sizes[d] != 1) return std::nullopt;
  }
  for (size_t d = v.sizes.size(); d-- > 0 && !flag_arg(node, 2);) {
    if (!summed[d]) continue;
    v.sizes.erase(v.sizes.begin() + static_cast<std::ptrdiff_t>(d));
    v.strides.erase(v.strides.begin() + static_cast<std::ptrdiff_t>(d));
  }
  Rewriter r(graph, node);
  const ValueId seen = flag_arg(node, 2) ? x : graph->add(std::move(v));
  r.call("aten::add.Scalar", {tensor(seen), {int64_t{0}}, {int64_t{1}}}, out);
  return r.take();
}

using Respell = Nodes (*)(Graph*, const Node&);

Respell find(const std::string& op) {
  static const std::unordered_map<std::string, Respell> all = {
      {"aten::linalg_norm", norm},
      {"aten::linalg_norm.ord_str", norm},
      {"aten::linalg_matrix_norm.str_ord", matrix_norm},
      {"aten::reshape_as", reshape_as},
      {"aten::outer", outer},
      {"aten::ger", outer},
      {"aten::count_nonzero", count_nonzero},
      {"aten::count_nonzero.dim_IntList", count_nonzero},
      {"aten::fft_fftshift", shift},
      {"aten::fft_ifftshift", shift},
      {"aten::bilinear", bilinear},
      {"aten::sum.dim_IntList", sum_of_one},
      {"aten::cross", cross},
      {"aten::linalg_cross", cross},
  };
  const auto it = all.find(op);
  return it == all.end() ? nullptr : it->second;
}

}  // namespace

void respell(Graph* graph, const Target& target) {
  std::vector<Node> nodes;
  for (Node& node : graph->nodes) {
    const Respell rewrite = find(node.op);
    // LibTorch sums a bilinear layer in another order.
    const bool stays = rewrite == bilinear && target.rounding == Rounding::kExact;
    const bool plain = rewrite != nullptr && !stays && node.pure && node.outputs.size() == 1 &&
                       node.outputs[0] != kNone && tensor_arg(node, 0) != kNone;
    auto others = plain ? rewrite(graph, node) : std::nullopt;
    if (!others) {
      nodes.push_back(std::move(node));
      continue;
    }
    for (Node& other : *others) {
      other.part_of = node.op;
      nodes.push_back(std::move(other));
    }
  }
  graph->nodes = std::move(nodes);
}

}  // namespace torchweld
