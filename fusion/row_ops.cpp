#include "fusion/row_ops.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "fusion/node_args.h"
#include "fusion/reduction.h"
#include "fusion/rewriter.h"

namespace torchweld {
namespace {

const Arg kNothing{};

Arg flag(bool b) { return {b}; }
Arg number(double x) { return {x}; }

/// Nodes over one operand whose dims `reduced` are rows; everything in between is wide.
class Rows {
 public:
  Rows(Graph* graph, const Node& node, ValueId x, Arg::Ints reduced)
      : graph_(*graph), r_(graph, node), dims_(std::move(reduced)) {
    const DType narrow = graph_.value(x).dtype;
    wide_ = compute_type(narrow);
    for (int64_t d : dims_) columns_ *= graph_.value(x).sizes[static_cast<size_t>(d)];
    x_ = narrow == wide_ ? x : r_.cast(x, r_.fresh(wide_, graph_.value(x).sizes));
  }

  ValueId x() const { return x_; }
  double columns() const { return static_cast<double>(columns_); }

  ValueId largest(ValueId v) {
    return r_.call("aten::amax", {tensor(v), {dims_}, flag(true)}, row_like(v));
  }
  ValueId smallest(ValueId v) {
    return r_.call("aten::amin", {tensor(v), {dims_}, flag(true)}, row_like(v));
  }
  ValueId sum(ValueId v) {
    return r_.call("aten::sum.dim_IntList", {tensor(v), {dims_}, flag(true), kNothing},
                   row_like(v));
  }
  ValueId mean(ValueId v) { return divide(sum(v), columns()); }

  ValueId divide(ValueId v, double by) {
    return r_.like("aten::div.Scalar", {tensor(v), number(by)}, v);
  }
  ValueId times(ValueId v, double by) {
    return by == 1 ? v : r_.like("aten::mul.Scalar", {tensor(v), number(by)}, v);
  }
  ValueId add(ValueId v, double c) {
    return r_.like("aten::add.Scalar", {tensor(v), number(c), {int64_t{1}}}, v);
  }
  ValueId unary(const char* op, ValueId v) { return r_.like(op, {tensor(v)}, v); }
  /// The result has the sizes of `a`, to which `b` broadcasts.
  ValueId mul(ValueId a, ValueId b) {
    return r_.like("aten::mul.Tensor", {tensor(a), tensor(b)}, a);
  }
  ValueId div(ValueId a, ValueId b) {
    return r_.like("aten::div.Tensor", {tensor(a), tensor(b)}, a);
  }
  ValueId sub(ValueId a, ValueId b) {
    return r_.like("aten::sub.Tensor", {tensor(a), tensor(b), {int64_t{1}}}, a);
  }
  ValueId plus(ValueId a, ValueId b) {
    return r_.like("aten::add.Tensor", {tensor(a), tensor(b), {int64_t{1}}}, a);
  }
  /// 0 where `v` is infinite.
  ValueId finite_or_zero(ValueId v) {
    const ValueId infinite =
        r_.call("aten::isinf", {tensor(v)}, r_.fresh(DType::kBool, graph_.value(v).sizes));
    return r_.like("aten::where.ScalarSelf", {tensor(infinite), number(0), tensor(v)}, v);
  }

  /// sum of (x - mean)^2 by `divisor`, and x - mean. What rounding leaves between the numbers and
  /// their mean is taken off both: equal numbers have no variance. It may be a rounding error less
  /// than 0.
  ValueId variance(double divisor, ValueId* distances) {
    const ValueId about = mean(x_), left = sub(x_, about);
    const ValueId rest = times(sum(left), 1 / columns());
    *distances = sub(x_, plus(about, rest));
    const ValueId squares = divide(sum(mul(left, left)), divisor);
    return sub(squares, times(mul(rest, rest), columns() / divisor));
  }

  /// Copies the last value into the node's result, which may have another dtype and fewer dims.
  std::vector<Node> finish(ValueId last, ValueId out) {
    Value shaped = graph_.value(last);
    const Value& result = graph_.value(out);
    if (result.sizes != shaped.sizes) {  // the same elements without the dims of size 1
      shaped.sizes = result.sizes;
      shaped.strides = contiguous_strides(result.sizes);
      last = graph_.add(std::move(shaped));
    }
    r_.cast(last, out);
    return r_.take();
  }

 private:
  ValueId row_like(ValueId v) {
    std::vector<int64_t> sizes = graph_.value(v).sizes;
    for (const int64_t d : dims_) sizes[static_cast<size_t>(d)] = 1;
    return r_.fresh(wide_, std::move(sizes));
  }

  Graph& graph_;
  Rewriter r_;
  Arg::Ints dims_;
  DType wide_ = DType::kF32;
  int64_t columns_ = 1;
  ValueId x_ = kNone;
};

Arg::Ints trailing(size_t count, size_t rank) {
  Arg::Ints dims;
  for (size_t d = rank - count; d < rank; ++d) dims.push_back(static_cast<int64_t>(d));
  return dims;
}

/// The dims that argument `i` names: one, a list, or all when it names none.
Arg::Ints dims_arg(const Node& node, size_t i, size_t rank) {
  Arg::Ints dims;
  if (const auto one = int_arg(node, i)) dims = {*one};
  if (const auto* list = ints_arg(node, i)) dims = *list;
  for (int64_t& d : dims) d = static_cast<int64_t>(whole_dim(d, rank));
  return dims.empty() ? trailing(rank, rank) : dims;
}

using Nodes = std::optional<std::vector<Node>>;

Nodes softmax(Graph* graph, const Node& node) {
  const ValueId x = tensor_arg(node, 0);
  Rows rows(graph, node, x, dims_arg(node, 1, graph->value(x).sizes.size()));
  const ValueId e = rows.unary("aten::exp", rows.sub(rows.x(), rows.largest(rows.x())));
  return rows.finish(rows.div(e, rows.sum(e)), node.outputs[0]);
}

Nodes log_softmax(Graph* graph, const Node& node) {
  const ValueId x = tensor_arg(node, 0);
  Rows rows(graph, node, x, dims_arg(node, 1, graph->value(x).sizes.size()));
  const ValueId shifted = rows.sub(rows.x(), rows.largest(rows.x()));
  const ValueId total = rows.unary("aten::log", rows.sum(rows.unary("aten::exp", shifted)));
  return rows.finish(rows.sub(shifted, total), node.outputs[0]);
}

Nodes logsumexp(Graph* graph, const Node& node) {
  const ValueId x = tensor_arg(node, 0);
  Rows rows(graph, node, x, dims_arg(node, 1, graph->value(x).sizes.size()));
  const ValueId top = rows.finite_or_zero(rows.largest(rows.x()));
  const ValueId total = rows.sum(rows.unary("aten::exp", rows.sub(rows.x(), top)));
  return rows.finish(rows.plus(rows.unary("aten::log", total), top), node.outputs[0]);
}

Nodes mean(Graph* graph, const Node& node) {
  const ValueId x = tensor_arg(node, 0);
  const size_t dims = node.op == "aten::mean" ? node.args.size() : 1;
  Rows rows(graph, node, x, dims_arg(node, dims, graph->value(x).sizes.size()));
  return rows.finish(rows.mean(rows.x()), node.outputs[0]);
}

/// var and std in their three forms; a correction of 1 is "unbiased".
Nodes moments(Graph* graph, const Node& node) {
  const ValueId x = tensor_arg(node, 0);
  const size_t rank = graph->value(x).sizes.size();
  const bool whole = node.op == "aten::var" || node.op == "aten::std";
  const size_t correction_at = whole ? 1 : 2;
  Rows rows(graph, node, x, dims_arg(node, whole ? node.args.size() : 1, rank));
  const double divisor =
      std::max(0.0, rows.columns() - number_arg(node, correction_at).value_or(1));
  ValueId distances = kNone;
  ValueId result = rows.unary("aten::relu", rows.variance(divisor, &distances));
  if (node.op.starts_with("aten::std")) result = rows.unary("aten::sqrt", result);
  return rows.finish(result, node.outputs[0]);
}

Nodes vector_norm(Graph* graph, const Node& node) {
  const ValueId x = tensor_arg(node, 0);
  if (!is_none(node, 4) || (node.op == "aten::linalg_vector_norm" && node.args.size() < 5))
    return std::nullopt;
  const bool whole = node.op == "aten::norm.Scalar";
  const double p = number_arg(node, 1).value_or(2);
  Rows rows(graph, node, x,
            dims_arg(node, whole ? node.args.size() : 2, graph->value(x).sizes.size()));
  ValueId result = kNone;
  if (p == 2) {
    result = rows.unary("aten::sqrt", rows.sum(rows.mul(rows.x(), rows.x())));
  } else if (p == 1) {
    result = rows.sum(rows.unary("aten::abs", rows.x()));
  } else if (std::isinf(p)) {
    const ValueId size = rows.unary("aten::abs", rows.x());
    result = p > 0 ? rows.largest(size) : rows.smallest(size);
  } else {
    return std::nullopt;
  }
  return rows.finish(result, node.outputs[0]);
}

/// (x - mean) / sqrt(var + eps), or x / sqrt(mean of x^2 + eps), then weight and bias by their
/// dims; kNone: none.
std::vector<Node> normalised(Rows* rows, bool centred, double eps, ValueId weight, ValueId bias,
                             ValueId out) {
  ValueId y = rows->x();
  const ValueId variance =
      centred ? rows->variance(rows->columns(), &y) : rows->mean(rows->mul(y, y));
  y = rows->mul(y, rows->unary("aten::rsqrt", rows->add(variance, eps)));
  if (weight != kNone) y = rows->mul(y, weight);
  if (bias != kNone) y = rows->plus(y, bias);
  return rows->finish(y, out);
}

Nodes layer_norm(Graph* graph, const Node& node) {
  const ValueId x = tensor_arg(node, 0);
  const auto* shape = ints_arg(node, 1);
  if (shape == nullptr || shape->empty()) return std::nullopt;
  const bool centred = node.op == "aten::layer_norm";
  const size_t eps_at = centred ? 4 : 3;
  const DType dtype = graph->value(x).dtype;
  const double smallest = dtype == DType::kF64    ? std::numeric_limits<double>::epsilon()
                          : dtype == DType::kF32  ? std::numeric_limits<float>::epsilon()
                          : dtype == DType::kBF16 ? 0x1p-7
                                                  : 0x1p-10;
  Rows rows(graph, node, x, trailing(shape->size(), graph->value(x).sizes.size()));
  return normalised(&rows, centred, number_arg(node, eps_at).value_or(smallest),
                    tensor_arg(node, 2), centred ? tensor_arg(node, 3) : kNone, node.outputs[0]);
}

/// Dim 1 as [groups, C / groups].
ValueId by_group(Graph* graph, ValueId id, int64_t groups, size_t dim) {
  if (id == kNone) return kNone;
  Value v = graph->value(id);
  const auto at = static_cast<std::ptrdiff_t>(dim);
  const int64_t each = v.sizes[dim] / groups;
  v.sizes[dim] = each;
  v.sizes.insert(v.sizes.begin() + at, groups);
  v.strides.insert(v.strides.begin() + at, v.strides[dim] * each);
  return graph->add(std::move(v));
}

/// [C] or [groups, C / groups] with as many dims of size 1 behind it as an image has.
ValueId over_image(Graph* graph, ValueId id, size_t dims) {
  if (id == kNone) return kNone;
  Value v = graph->value(id);
  v.sizes.resize(v.sizes.size() + dims, 1);
  v.strides.resize(v.strides.size() + dims, 1);
  return graph->add(std::move(v));
}

Nodes group_norm(Graph* graph, const Node& node) {
  const ValueId x = tensor_arg(node, 0);
  const size_t image = graph->value(x).sizes.size() - 2;
  const auto groups = int_arg(node, 1);
  if (!groups) return std::nullopt;
  Rows rows(graph, node, by_group(graph, x, *groups, 1), trailing(image + 1, image + 3));
  const auto vector = [&](size_t i) {
    return over_image(graph, by_group(graph, tensor_arg(node, i), *groups, 0), image);
  };
  return normalised(&rows, true, number_arg(node, 4).value_or(1e-5), vector(2), vector(3),
                    by_group(graph, node.outputs[0], *groups, 1));
}

Nodes instance_norm(Graph* graph, const Node& node) {
  const ValueId x = tensor_arg(node, 0);
  const size_t rank = graph->value(x).sizes.size();
  if (!flag_arg(node, 5) || !is_none(node, 3) || rank < 3) return std::nullopt;
  Rows rows(graph, node, x, trailing(rank - 2, rank));
  return normalised(&rows, true, number_arg(node, 7).value_or(1e-5),
                    over_image(graph, tensor_arg(node, 1), rank - 2),
                    over_image(graph, tensor_arg(node, 2), rank - 2), node.outputs[0]);
}

/// max.dim and min.dim: the value and its place are two reductions of one row.
Nodes extreme(Graph* graph, const Node& node) {
  if (node.outputs.size() != 2) return std::nullopt;
  const bool largest = node.op == "aten::max.dim";
  const auto dim = int_arg(node, 1);
  if (!dim || graph->value(tensor_arg(node, 0)).dtype == DType::kBool) return std::nullopt;
  Rewriter r(graph, node);
  if (node.outputs[0] != kNone)
    r.call(largest ? "aten::amax" : "aten::amin", {node.args[0], {Arg::Ints{*dim}}, node.args[2]},
           node.outputs[0]);
  if (node.outputs[1] != kNone)
    r.call(largest ? "aten::argmax" : "aten::argmin", {node.args[0], {*dim}, node.args[2]},
           node.outputs[1]);
  return r.take();
}

struct RowOp {
  Nodes (*nodes)(Graph*, const Node&);
  bool floating = true;  ///< only of floating tensors
};

const RowOp* find_row_op(const std::string& op) {
  static const std::unordered_map<std::string, RowOp> ops = {
      {"aten::softmax.int", {softmax}},
      {"aten::_softmax", {softmax}},
      {"aten::log_softmax.int", {log_softmax}},
      {"aten::_log_softmax", {log_softmax}},
      {"aten::logsumexp", {logsumexp}},
      {"aten::mean", {mean}},
      {"aten::mean.dim", {mean}},
      {"aten::var", {moments}},
      {"aten::var.dim", {moments}},
      {"aten::var.correction", {moments}},
      {"aten::std", {moments}},
      {"aten::std.dim", {moments}},
      {"aten::std.correction", {moments}},
      {"aten::norm.Scalar", {vector_norm}},
      {"aten::norm.ScalarOpt_dim", {vector_norm}},
      {"aten::linalg_vector_norm", {vector_norm}},
      {"aten::layer_norm", {layer_norm}},
      {"aten::rms_norm", {layer_norm}},
      {"aten::group_norm", {group_norm}},
      {"aten::instance_norm", {instance_norm}},
      {"aten::max.dim", {extreme, false}},
      {"aten::min.dim", {extreme, false}},
  };
  const auto it = ops.find(op);
  return it == ops.end() ? nullptr : &it->second;
}

bool is_plain(const Graph& graph, const Node& node, bool floating) {
  const ValueId x = tensor_arg(node, 0);
  if (x == kNone || !node.pure || node.outputs.empty() || node.outputs[0] == kNone) return false;
  const Value& v = graph.value(x);
  bool plain = v.elements() > 0 && !v.sizes.empty();
  for_each_input(node, [&](ValueId id) { plain &= !graph.value(id).opaque; });
  return plain &&
         (!floating || (is_floating(v.dtype) && is_floating(graph.value(node.outputs[0]).dtype)));
}

}  // namespace

std::optional<std::vector<Node>> row_nodes(Graph* graph, const Node& node) {
  const RowOp* op = find_row_op(node.op);
  if (op == nullptr || !is_plain(*graph, node, op->floating)) return std::nullopt;
  return op->nodes(graph, node);
}

std::string why_no_float_rows(const Graph& graph, const Node& node) {
  if (!node.pure || (find_row_op(node.op) == nullptr && !as_reduction(graph, node))) return "";
  return "its rows are of more than 2^20 floats, or of types that no kernel makes this of";
}

}  // namespace torchweld
