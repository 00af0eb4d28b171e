#include "fusion/row_sum.h"

#include <algorithm>
#include <set>

namespace torchweld {
namespace {

/// The reduced dimensions; all of them when the list is missing or empty.
std::set<int64_t> reduced_dims(const Node& node, int64_t rank) {
  std::set<int64_t> dims;
  if (const auto* list =
          node.args.size() > 2 ? std::get_if<Arg::Ints>(&node.args[1].value) : nullptr) {
    for (const int64_t d : *list) dims.insert(d < 0 ? d + rank : d);
  }
  if (dims.empty()) {
    for (int64_t d = 0; d < rank; ++d) dims.insert(d);
  }
  return dims;
}

}  // namespace

bool make_row_sum(const Graph& graph, const Node& node, RowSum* out) {
  const bool mean = node.op == "aten::mean" || node.op == "aten::mean.dim";
  if (!mean && node.op != "aten::sum" && node.op != "aten::sum.dim_IntList") return false;
  const auto* arg = node.args[0].tensor();
  const Value& x = graph.value(arg->id);
  const Value& y = graph.value(node.outputs[0]);
  if (x.dtype != DType::kF32 || y.dtype != DType::kF32 || x.elements() == 0) return false;
  if (x.strides != contiguous_strides(x.sizes) || y.strides != contiguous_strides(y.sizes))
    return false;
  const auto rank = static_cast<int64_t>(x.sizes.size());
  const std::set<int64_t> dims = reduced_dims(node, rank);
  out->columns = 1;
  for (int64_t d = 0; d < rank; ++d) {
    const int64_t extent = x.sizes[static_cast<size_t>(d)];
    const bool trailing = d >= rank - static_cast<int64_t>(dims.size());
    if (extent != 1 && trailing != dims.contains(d)) return false;
    if (dims.contains(d)) out->columns *= extent;
  }
  out->rows = x.elements() / out->columns;
  out->divisor = mean ? static_cast<float>(out->columns) : 1.0f;
  return out->rows * out->columns < RowSum::kMostElements;
}

}  // namespace torchweld
