#include "fusion/gather.h"

#include <algorithm>

#include "fusion/domain.h"
#include "fusion/node_args.h"

namespace torchweld {
namespace {

bool is_index(const Value& v) {
  return !v.opaque && (v.dtype == DType::kI64 || v.dtype == DType::kI32);
}

/// The sizes to which the indices of a list broadcast; nullopt where they don't.
std::optional<std::vector<int64_t>> shared_sizes(const Graph& graph, const Arg::TensorList& list) {
  std::vector<int64_t> sizes;
  for (const ValueId id : list.ids) {
    if (id == kNone) continue;
    const std::vector<int64_t>& own = graph.value(id).sizes;
    if (own.size() > sizes.size()) sizes.insert(sizes.begin(), own.size() - sizes.size(), 1);
    for (size_t d = 0; d < own.size(); ++d) {
      int64_t& size = sizes[sizes.size() - own.size() + d];
      if (size == 1) size = own[d];
      if (own[d] != 1 && own[d] != size) return std::nullopt;
    }
  }
  return sizes;
}

/// Where the dims of the indices lie in the domain: in the place of the first where they stand side
/// by side, otherwise in front.
size_t place_of_indices(const Arg::TensorList& list) {
  const auto defined = [](ValueId id) { return id != kNone; };
  const auto first = std::find_if(list.ids.begin(), list.ids.end(), defined);
  const auto gap = std::find(first, list.ids.end(), kNone);
  const bool apart = std::any_of(gap, list.ids.end(), defined);
  return apart ? 0 : static_cast<size_t>(first - list.ids.begin());
}

/// x[index] along one dim, for operators that name it.
std::optional<Gather> along(const Graph& graph, ValueId source, ValueId index, size_t dim) {
  Arg::TensorList list{std::vector<ValueId>(dim, kNone)};
  list.ids.push_back(index);
  std::vector<int64_t> sizes;
  Gather g{source, {}, {}, false};
  auto named = named_by_list(graph, graph.value(source), list, &sizes, &g.source_strides);
  if (!named) return std::nullopt;
  g.named = std::move(*named);
  return g;
}

std::optional<Gather> elements(const Graph& graph, const Node& node, ValueId source) {
  const size_t rank = graph.value(source).sizes.size();
  const auto dim = dim_arg(node, 1, rank);
  const ValueId index = tensor_arg(node, 2);
  if (!dim || index == kNone || graph.value(index).sizes.size() != rank) return std::nullopt;
  Gather g{source, graph.value(source).strides, {{index, *dim, graph.value(index).strides}}, false};
  g.source_strides[*dim] = 0;
  return g;
}

std::optional<Gather> any_gather(const Graph& graph, const Node& node, ValueId source) {
  const size_t rank = graph.value(source).sizes.size();
  if (node.op == "aten::gather") return elements(graph, node, source);
  if (node.op == "aten::embedding") return along(graph, source, tensor_arg(node, 1), 0);
  if (node.op == "aten::index_select") {
    const auto dim = dim_arg(node, 1, rank);
    const ValueId index = tensor_arg(node, 2);
    const bool plain = dim && index != kNone && graph.value(index).sizes.size() == 1;
    return plain ? along(graph, source, index, *dim) : std::nullopt;
  }
  const bool lists = node.op == "aten::index.Tensor" || node.op == "aten::index.Tensor_hacked_twin";
  const auto* list = lists ? node.args[1].tensor_list() : nullptr;
  if (list == nullptr) return std::nullopt;
  std::vector<int64_t> sizes;
  Gather g{source, {}, {}, true};
  auto named = named_by_list(graph, graph.value(source), *list, &sizes, &g.source_strides);
  if (!named) return std::nullopt;
  g.named = std::move(*named);
  return g;
}

}  // namespace

std::optional<std::vector<NamedDim>> named_by_list(const Graph& graph, const Value& x,
                                                   const Arg::TensorList& list,
                                                   std::vector<int64_t>* sizes,
                                                   std::vector<int64_t>* strides) {
  const auto shared = shared_sizes(graph, list);
  if (!shared || list.ids.size() > x.sizes.size()) return std::nullopt;
  *sizes = x.sizes;
  *strides = x.strides;
  std::vector<NamedDim> named;
  for (size_t d = list.ids.size(); d-- > 0;) {
    if (list.ids[d] == kNone) continue;
    if (!is_index(graph.value(list.ids[d]))) return std::nullopt;
    named.insert(named.begin(), {list.ids[d], d, {}});
    sizes->erase(sizes->begin() + static_cast<std::ptrdiff_t>(d));
    strides->erase(strides->begin() + static_cast<std::ptrdiff_t>(d));
  }
  if (named.empty()) return std::nullopt;
  const size_t begin = place_of_indices(list);
  const auto at = static_cast<std::ptrdiff_t>(begin);
  for (NamedDim& n : named) {
    n.strides.assign(sizes->size() + shared->size(), 0);
    const std::vector<int64_t> own = strides_in({*shared, {}}, *shared, graph.value(n.index));
    std::copy(own.begin(), own.end(), n.strides.begin() + at);
  }
  sizes->insert(sizes->begin() + at, shared->begin(), shared->end());
  strides->insert(strides->begin() + at, shared->size(), 0);
  return named;
}

std::optional<Gather> gather_of(const Graph& graph, const Node& node) {
  const ValueId source = node.args.empty() ? kNone : tensor_arg(node, 0);
  if (source == kNone || node.outputs.size() != 1 || node.outputs[0] == kNone) return std::nullopt;
  auto g = any_gather(graph, node, source);
  if (!g || graph.value(source).elements() == 0) return std::nullopt;
  for (const NamedDim& n : g->named) {
    if (!is_index(graph.value(n.index))) return std::nullopt;
  }
  const size_t rank = graph.value(node.outputs[0]).sizes.size();
  return g->source_strides.size() == rank ? std::move(g) : std::nullopt;
}

}  // namespace torchweld
