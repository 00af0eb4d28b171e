#include "fusion/ordering.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <string_view>

#include "fusion/merged_dims.h"
#include "fusion/node_args.h"

namespace torchweld {
namespace {

using x86::Ordering;
using x86::OrderingOp;

ValueId output(const Node& node, size_t i) {
  return i < node.outputs.size() ? node.outputs[i] : kNone;
}

/// What a node's arguments say; the dim that is a row, where there are dims.
struct Wanted {
  std::optional<int64_t> dim;
  std::optional<bool> descending;
  bool in_order = true;
};

bool fill_top(const Node& node, OrderingCall* call, Wanted* wanted) {
  const auto k = int_arg(node, 1);
  const auto in_order = bool_arg(node, 4);
  if (!k || !in_order) return false;
  call->rows.op = OrderingOp::kTop;
  call->rows.made = *k;
  call->value_value = output(node, 0);
  call->place_value = output(node, 1);
  *wanted = {int_arg(node, 2), bool_arg(node, 3), *in_order};
  return true;
}

/// LibTorch sorts many integers of one dim by their bytes, whatever was asked for; and rows of one
/// element that is seen many times it leaves alone.
bool stays_in_order(const Value& x, const Wanted& wanted) {
  constexpr int64_t kLeastByBytes = 32768;
  if (x.sizes.empty()) return true;
  if (wanted.dim && x.strides[whole_dim(*wanted.dim, x.sizes.size())] == 0) return true;
  return x.sizes.size() == 1 && x.elements() >= kLeastByBytes && is_integral(x.dtype) &&
         !wanted.descending.value_or(true);
}

void fill_sort(const Graph& graph, const Node& node, OrderingCall* call, Wanted* wanted) {
  const bool says_how = node.op.ends_with(".stable");
  const size_t first = says_how ? 2 : 1;
  const bool all = node.op.starts_with("aten::sort");
  call->rows.op = OrderingOp::kSort;
  if (node.op == "aten::msort") {
    *wanted = {0, false, false};
  } else {
    *wanted = {int_arg(node, first), bool_arg(node, first + 1), says_how && flag_arg(node, 1)};
  }
  const Value& x = graph.value(call->x_value);
  wanted->in_order |= stays_in_order(x, *wanted);
  if (all || node.op == "aten::msort") call->value_value = output(node, 0);
  if (node.op != "aten::msort") call->place_value = output(node, all ? 1 : 0);
}

bool is_sort(const std::string& op) {
  static const std::set<std::string_view> ops = {"aten::sort", "aten::sort.stable", "aten::argsort",
                                                 "aten::argsort.stable", "aten::msort"};
  return ops.contains(op);
}

/// Whether what the node makes has the types that the kernel makes.
bool types_match(const Graph& graph, const OrderingCall& call) {
  const Value& x = graph.value(call.x_value);
  const auto has = [&](ValueId id, DType dtype) {
    return id == kNone || (!graph.value(id).opaque && graph.value(id).dtype == dtype &&
                           graph.value(id).sizes.size() == x.sizes.size());
  };
  return !x.opaque && x.dtype != DType::kOther && has(call.value_value, x.dtype) &&
         has(call.place_value, DType::kI64);
}

/// Rows along `row` over all other dims.
bool lay_out(const Graph& graph, size_t row, OrderingCall* call) {
  Ordering& o = call->rows;
  const std::vector<int64_t>& sizes = graph.value(call->x_value).sizes;
  const auto stride = [&](ValueId id, size_t d) {
    return id == kNone ? 0 : graph.value(id).strides[d];
  };
  MergedDims<3> merged;
  for (size_t d = 0; d < sizes.size(); ++d) {
    const MergedDims<3>::Strides s = {stride(call->x_value, d), stride(call->value_value, d),
                                      stride(call->place_value, d)};
    if (d != row) {
      merged.add(sizes[d], s);
    } else {
      o.along = {s[0], s[1], s[2]};
    }
  }
  if (merged.dims().size() > Ordering::kMostDims) return false;
  for (const auto& dim : merged.dims()) {
    o.sizes[o.kept] = dim.size;
    o.strides[o.kept++] = {dim.strides[0], dim.strides[1], dim.strides[2]};
  }
  o.columns = sizes.empty() ? 1 : sizes[row];
  return o.columns <= std::numeric_limits<int32_t>::max();
}

}  // namespace

bool make_ordering(const Graph& graph, const Node& node, OrderingCall* out) {
  OrderingCall call;
  Wanted wanted;
  call.x_value = tensor_arg(node, 0);
  if (call.x_value == kNone) return false;
  if (is_sort(node.op)) {
    fill_sort(graph, node, &call, &wanted);
  } else if (node.op != "aten::topk" || !fill_top(node, &call, &wanted)) {
    return false;
  }
  const size_t rank = graph.value(call.x_value).sizes.size();
  if (!wanted.dim || !wanted.descending || !types_match(graph, call)) return false;
  call.rows.dtype = graph.value(call.x_value).dtype;
  call.rows.descending = *wanted.descending;
  call.rows.in_order = wanted.in_order;
  if (!lay_out(graph, whole_dim(*wanted.dim, rank), &call)) return false;
  if (call.rows.op == OrderingOp::kSort) call.rows.made = call.rows.columns;
  *out = call;
  return true;
}

std::string name_of_step(const OrderingCall& call) {
  const Ordering& o = call.rows;
  const std::string what = o.op == OrderingOp::kTop    ? fmt::format("top{}", o.made)
                           : call.value_value == kNone ? "argsort"
                                                       : "sort";
  return fmt::format("{}_{}x{}_{}", what, o.rows(), o.columns, name_of(o.dtype));
}

}  // namespace torchweld
