#include "fusion/host_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "fusion/node_args.h"
#include "fusion/reduction.h"

namespace torchweld {
namespace {

using x86::RowsOp;

/// A node as reduction.h knows it: of one result, and with a name that it has a row for.
Node as_one_reduction(const Node& node, HostRowsCall* call) {
  Node alike = node;
  call->value_value = node.outputs[0];
  if (node.op == "aten::cumprod") alike.op = "aten::cumsum";
  if (node.op != "aten::max.dim" && node.op != "aten::min.dim") return alike;
  alike.op = node.op == "aten::max.dim" ? "aten::argmax" : "aten::argmin";
  call->place_value = node.outputs.size() == 2 ? node.outputs[1] : kNone;
  alike.outputs = {call->place_value};
  return alike;
}

std::optional<RowsOp> op_of(const std::string& op, Prim prim) {
  if (op.starts_with("aten::any")) return RowsOp::kAny;
  if (op.starts_with("aten::all")) return RowsOp::kAll;
  if (op == "aten::cumprod") return RowsOp::kRunningProduct;
  switch (prim) {
    case Prim::kSum:
      return RowsOp::kSum;
    case Prim::kProduct:
      return RowsOp::kProduct;
    case Prim::kLargest:
    case Prim::kArgLargest:
      return RowsOp::kLargest;
    case Prim::kSmallest:
    case Prim::kArgSmallest:
      return RowsOp::kSmallest;
    case Prim::kRunningSum:
      return RowsOp::kRunningSum;
    default:
      return std::nullopt;
  }
}

/// One dim of the tensor, with the strides of what is read and made.
struct Dim {
  int64_t size = 1, x = 0, values = 0, places = 0;

  /// Whether this dim goes on where `inner` ends.
  bool continues(const Dim& inner) const {
    return x == inner.x * inner.size && values == inner.values * inner.size &&
           places == inner.places * inner.size;
  }
};

class Dims {
 public:
  void add(const Dim& dim) {
    if (dim.size != 1) dims_.push_back(dim);
  }

  /// Puts what lies closest together innermost.
  void sort() {
    std::stable_sort(dims_.begin(), dims_.end(),
                     [](const Dim& a, const Dim& b) { return a.x > b.x; });
  }

  void merge() {
    std::vector<Dim> all;
    std::swap(all, dims_);
    for (const Dim& dim : all) append(dim);
  }

  void write(x86::HostRows* rows, size_t* at) const {
    if (dims_.empty()) rows->sizes[(*at)++] = 1;
    for (const Dim& dim : dims_) {
      rows->sizes[*at] = dim.size;
      rows->x[*at] = dim.x;
      rows->values[*at] = dim.values;
      rows->places[(*at)++] = dim.places;
    }
  }

  size_t size() const { return dims_.empty() ? 1 : dims_.size(); }

 private:
  void append(const Dim& dim) {
    if (!dims_.empty() && dims_.back().continues(dim)) {
      const int64_t outer = dims_.back().size;
      dims_.back() = dim;
      dims_.back().size *= outer;
    } else {
      dims_.push_back(dim);
    }
  }

  std::vector<Dim> dims_;
};

std::vector<int64_t> strides_over(const Graph& graph, const Domain& domain, ValueId id) {
  if (id == kNone) return std::vector<int64_t>(domain.sizes.size(), 0);
  const Value& v = graph.value(id);
  return strides_in(domain, v.sizes, v);
}

bool lay_out(const Graph& graph, const Domain& domain, HostRowsCall* call) {
  const auto x = strides_over(graph, domain, call->x_value),
             values = strides_over(graph, domain, call->value_value),
             places = strides_over(graph, domain, call->place_value);
  Dims kept, row;
  for (size_t d = 0; d < domain.sizes.size(); ++d)
    (domain.reduced[d] ? row : kept).add({domain.sizes[d], x[d], values[d], places[d]});
  kept.sort();
  if (call->place_value == kNone) row.sort();  // a place counts in the recorded order
  kept.merge();
  row.merge();
  if (kept.size() + row.size() > x86::HostRows::kMostDims) return false;
  x86::HostRows& rows = call->rows;
  size_t at = 0;
  kept.write(&rows, &at);
  rows.kept = at;
  row.write(&rows, &at);
  rows.dims = at;
  return !x86::is_running(rows.op) || rows.dims == rows.kept + 1;
}

/// Whether what the node makes has the type that the kernel makes of its operand.
bool types_match(const Graph& graph, const HostRowsCall& call) {
  const x86::HostRows& rows = call.rows;
  const bool adds = rows.op == RowsOp::kSum || rows.op == RowsOp::kProduct;
  if (rows.in == DType::kOther || (adds && is_floating(rows.in))) return false;
  const auto has = [&](ValueId id, DType dtype) {
    return id == kNone || (!graph.value(id).opaque && graph.value(id).dtype == dtype);
  };
  return has(call.value_value, x86::type_of_values(rows.op, rows.in)) &&
         has(call.place_value, DType::kI64);
}

}  // namespace

bool make_host_rows(const Graph& graph, const Node& node, HostRowsCall* out) {
  if (node.outputs.empty() || node.args.empty()) return false;
  HostRowsCall call;
  const auto reduction = as_reduction(graph, as_one_reduction(node, &call));
  const auto op = reduction ? op_of(node.op, reduction->prim) : std::nullopt;
  if (!op) return false;
  if (node.outputs.size() == 1 &&
      (reduction->prim == Prim::kArgLargest || reduction->prim == Prim::kArgSmallest)) {
    call.place_value = node.outputs[0];
    call.value_value = kNone;
  }
  const Value& x = graph.value(reduction->operand);
  call.x_value = reduction->operand;
  call.rows.op = *op;
  call.rows.in = x.dtype;
  if (x.elements() == 0 || !types_match(graph, call) || !lay_out(graph, reduction->domain, &call) ||
      call.rows.columns() > std::numeric_limits<int32_t>::max())
    return false;
  *out = call;
  return true;
}

std::string name_of_step(const HostRowsCall& call) {
  static constexpr const char* kNames[] = {"sum", "prod", "max",    "min",
                                           "any", "all",  "cumsum", "cumprod"};
  const x86::HostRows& rows = call.rows;
  return fmt::format("{}{}_{}x{}_{}", call.value_value == kNone ? "arg" : "",
                     kNames[static_cast<size_t>(rows.op)], rows.rows(), rows.columns(),
                     name_of(rows.in));
}

}  // namespace torchweld
