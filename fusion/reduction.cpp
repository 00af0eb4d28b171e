#include "fusion/reduction.h"

#include <unordered_map>

#include "fusion/node_args.h"

namespace torchweld {
namespace {

/// How an operator's arguments name the dims that it reduces.
enum class Dims : uint8_t {
  kAll,   ///< no argument: everything
  kOne,   ///< argument 1, an int; none: everything
  kList,  ///< argument 1, a list; none or empty: everything
};

struct Row {
  Prim prim;
  Dims dims;
};

const Row* row_of(const std::string& op) {
  static const std::unordered_map<std::string, Row> rows = {
      {"aten::sum", {Prim::kSum, Dims::kAll}},
      {"aten::sum.dim_IntList", {Prim::kSum, Dims::kList}},
      {"aten::prod", {Prim::kProduct, Dims::kAll}},
      {"aten::prod.dim_int", {Prim::kProduct, Dims::kOne}},
      {"aten::amax", {Prim::kLargest, Dims::kList}},
      {"aten::amin", {Prim::kSmallest, Dims::kList}},
      {"aten::max", {Prim::kLargest, Dims::kAll}},
      {"aten::min", {Prim::kSmallest, Dims::kAll}},
      {"aten::any", {Prim::kLargest, Dims::kAll}},
      {"aten::any.dim", {Prim::kLargest, Dims::kOne}},
      {"aten::any.dims", {Prim::kLargest, Dims::kList}},
      {"aten::all", {Prim::kSmallest, Dims::kAll}},
      {"aten::all.dim", {Prim::kSmallest, Dims::kOne}},
      {"aten::all.dims", {Prim::kSmallest, Dims::kList}},
      {"aten::argmax", {Prim::kArgLargest, Dims::kOne}},
      {"aten::argmin", {Prim::kArgSmallest, Dims::kOne}},
      {"aten::cumsum", {Prim::kRunningSum, Dims::kOne}},
  };
  const auto it = rows.find(op);
  return it == rows.end() ? nullptr : &it->second;
}

std::vector<bool> reduced_dims(const Node& node, Dims dims, size_t rank) {
  std::vector<int64_t> named;
  if (dims != Dims::kAll && node.args.size() > 1) {
    if (const auto one = int_arg(node, 1)) named = {*one};
    if (const auto* list = ints_arg(node, 1)) named = *list;
  }
  std::vector<bool> reduced(rank, named.empty());
  for (const int64_t d : named) reduced[whole_dim(d, rank)] = true;
  return reduced;
}

bool is_truth(const std::string& op) {
  return op.starts_with("aten::any") || op.starts_with("aten::all");
}

/// The type that elements are reduced in; kOther when kernels don't reduce such tensors.
DType type_of_work(const Row& row, const Node& node, const Value& x, const Value& out) {
  if (is_truth(node.op)) return out.dtype == DType::kBool ? DType::kBool : DType::kOther;
  const bool sums =
      row.prim == Prim::kSum || row.prim == Prim::kProduct || row.prim == Prim::kRunningSum;
  if (sums && is_floating(out.dtype)) return compute_type(out.dtype);
  if (sums) return out.dtype == DType::kI64 ? DType::kI64 : DType::kOther;
  if (x.dtype == DType::kBool && row.prim != Prim::kLargest && row.prim != Prim::kSmallest)
    return DType::kOther;
  return compute_type(x.dtype);
}

}  // namespace

std::optional<Reduction> as_reduction(const Graph& graph, const Node& node) {
  const Row* row = row_of(node.op);
  if (row == nullptr || !node.pure || node.outputs.size() != 1 || node.outputs[0] == kNone)
    return std::nullopt;
  const auto* arg = node.args[0].tensor();
  if (arg == nullptr || arg->id == kNone) return std::nullopt;
  const Value& x = graph.value(arg->id);
  const Value& out = graph.value(node.outputs[0]);
  if (x.opaque || out.opaque || x.sizes.empty()) return std::nullopt;
  Reduction reduction;
  reduction.prim = row->prim;
  reduction.operand = arg->id;
  reduction.domain = {x.sizes, reduced_dims(node, row->dims, x.sizes.size())};
  reduction.in = type_of_work(*row, node, x, out);
  if (reduction.in == DType::kOther) return std::nullopt;
  const bool places = row->prim == Prim::kArgLargest || row->prim == Prim::kArgSmallest;
  reduction.out = places ? DType::kI64 : reduction.in;
  if (space_of(reduction.domain, out.sizes) == Space::kNone) return std::nullopt;
  return reduction;
}

bool is_of_floats(const Graph& graph, const Reduction& reduction) {
  const Prim prim = reduction.prim;
  if (prim != Prim::kSum && prim != Prim::kProduct && prim != Prim::kLargest &&
      prim != Prim::kSmallest)
    return false;
  if (reduction.in != DType::kF32 && reduction.in != DType::kF64) return false;
  const Value& x = graph.value(reduction.operand);
  int64_t columns = 1;
  for (size_t d = 0; d < x.sizes.size(); ++d)
    columns *= reduction.domain.reduced[d] ? x.sizes[d] : 1;
  return x.elements() > 0 && columns <= kMostRowElements;
}

int16_t emit_reduction(BodyBuilder& body, const Reduction& reduction, int16_t value) {
  return body.emit(reduction.prim, reduction.out, body.cast(value, reduction.in));
}

}  // namespace torchweld
