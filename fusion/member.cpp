#include "fusion/member.h"

#include "fusion/host_resize.h"
#include "fusion/image_conv.h"
#include "fusion/indexed.h"
#include "fusion/pointwise.h"
#include "fusion/scatter.h"
#include "fusion/window_pool.h"

namespace torchweld {
namespace {

/// In-place: the elements that are written are those that are read, if any of them are.
bool writes_safely(const Graph& graph, const Node& node) {
  if (node.writes.empty()) return true;
  const Value& out = graph.value(node.writes[0]);
  bool safe = true;
  for_each_input(node, [&](ValueId id) {
    const Value& v = graph.value(id);
    safe &= v.storage != out.storage || v.same_layout(out);
  });
  return safe;
}

}  // namespace

std::optional<Member> member_of(const Graph& graph, const Node& node, const Target& target,
                                std::string* why) {
  if (!target.fuses) {
    *why = "no code generator for this device";
    return std::nullopt;
  }
  WindowPoolCall pooling;  // by hand, each row of the image is read once; by a kernel, each window
  if (!target.rows && target.hand_kernels &&
      (is_pooling_by_hand(graph, node, target) || make_window_pool(graph, node, &pooling)))
    return std::nullopt;
  if (is_resize_by_hand(graph, node, target)) return std::nullopt;
  if (target.rows || target.float_rows) {
    const auto reduction = as_reduction(graph, node);
    if (reduction && (target.rows || is_of_floats(graph, *reduction)))
      return Member{reduction->domain, reduction};
    if (auto domain = indexed_domain(graph, node)) {
      if (target.rows || !places_follow_from_data(graph, node))
        return Member{*domain, std::nullopt, true};
      *why = "reads where data says, and LibTorch checks that it is in range";
      return std::nullopt;
    }
  }
  if (target.rows) {
    if (auto scatter = kernel_scatter(graph, node))
      return Member{{scatter->sizes, {}}, std::nullopt, true, true};
  }
  if (!is_pointwise(graph, node, why)) return std::nullopt;
  if (!writes_safely(graph, node)) {
    *why = "writes memory that it also reads at other places";
    return std::nullopt;
  }
  return Member{{graph.value(result_of(node)).sizes, {}}, std::nullopt, false};
}

std::vector<int64_t> strides_of_result(const Graph& graph, const Domain& domain, const Node& node) {
  const Value& out = graph.value(result_of(node));
  return strides_in(domain, out.sizes, out);
}

std::vector<int64_t> strides_of_operand(const Graph& graph, const Domain& domain, const Node& node,
                                        ValueId operand, bool reduces) {
  if (const auto scatter = kernel_scatter(graph, node)) {
    for (const NamedDim& named : scatter->named) {
      if (operand == named.index) return named.strides;
    }
    return scatter->source_strides;
  }
  const std::vector<int64_t>& sizes = reduces ? domain.sizes : graph.value(result_of(node)).sizes;
  return strides_in(domain, sizes, graph.value(operand));
}

}  // namespace torchweld
