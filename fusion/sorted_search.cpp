#include "fusion/sorted_search.h"

#include <fmt/format.h>

#include "fusion/merged_dims.h"
#include "fusion/node_args.h"

namespace torchweld {
namespace {

using x86::SortedSearch;

/// Which arguments are what; false for other operators and where LibTorch would be told more.
bool fill(const Node& node, SortedSearchCall* call) {
  const bool buckets = node.op == "aten::bucketize.Tensor";
  if (!buckets && node.op != "aten::searchsorted.Tensor") return false;
  call->bounds_value = tensor_arg(node, buckets ? 1 : 0);
  call->values_value = tensor_arg(node, buckets ? 0 : 1);
  call->search.narrow = flag_arg(node, 2);
  call->search.right = flag_arg(node, 3);
  if (buckets) return true;
  const Arg* side = arg_at(node, 4);
  const auto* name = side == nullptr ? nullptr : std::get_if<std::string>(&side->value);
  if (name != nullptr) call->search.right = *name == "right";
  return tensor_arg(node, 5) == kNone;
}

bool types_match(const Graph& graph, const SortedSearchCall& call) {
  const Value& values = graph.value(call.values_value);
  const Value& bounds = graph.value(call.bounds_value);
  const Value& places = graph.value(call.places_value);
  return !values.opaque && !bounds.opaque && !places.opaque && values.dtype == bounds.dtype &&
         values.dtype != DType::kOther && values.dtype != DType::kBool &&
         places.dtype == (call.search.narrow ? DType::kI32 : DType::kI64) &&
         places.sizes == values.sizes && !bounds.sizes.empty() &&
         (bounds.sizes.size() == 1 || bounds.sizes.size() == values.sizes.size());
}

bool lay_out(const Graph& graph, SortedSearchCall* call) {
  const Value& values = graph.value(call->values_value);
  const Value& bounds = graph.value(call->bounds_value);
  const Value& places = graph.value(call->places_value);
  SortedSearch& s = call->search;
  s.dtype = values.dtype;
  s.bounds = bounds.sizes.back();
  s.bound_step = bounds.strides.back();
  MergedDims<3> merged;
  const size_t rank = values.sizes.size();
  for (size_t d = 0; d < rank; ++d) {
    const bool counts_rows = bounds.sizes.size() > 1 && d + 1 < rank;
    merged.add(values.sizes[d],
               {values.strides[d], counts_rows ? bounds.strides[d] : 0, places.strides[d]});
  }
  if (merged.dims().size() > SortedSearch::kMostDims) return false;
  for (const auto& dim : merged.dims()) {
    s.sizes[s.dims] = dim.size;
    s.value_strides[s.dims] = dim.strides[0];
    s.row_strides[s.dims] = dim.strides[1];
    s.place_strides[s.dims++] = dim.strides[2];
  }
  if (s.dims == 0) s.sizes[s.dims++] = 1;
  return true;
}

}  // namespace

bool make_sorted_search(const Graph& graph, const Node& node, SortedSearchCall* out) {
  SortedSearchCall call;
  if (!fill(node, &call) || node.outputs.size() != 1 || node.outputs[0] == kNone) return false;
  if (call.bounds_value == kNone || call.values_value == kNone) return false;
  call.places_value = node.outputs[0];
  if (!types_match(graph, call) || !lay_out(graph, &call)) return false;
  *out = call;
  return true;
}

std::string name_of_step(const SortedSearchCall& call) {
  const SortedSearch& s = call.search;
  return fmt::format("search_{}x{}_{}", s.values(), s.bounds, name_of(s.dtype));
}

}  // namespace torchweld
