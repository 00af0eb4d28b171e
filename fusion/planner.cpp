// The passes, in order.
#include "fusion/planner.h"

#include <string_view>

#include "fusion/attention.h"
#include "fusion/byte_products.h"
#include "fusion/complex_parts.h"
#include "fusion/cudnn_conv.h"
#include "fusion/diagonals.h"
#include "fusion/epilogue.h"
#include "fusion/masked_write.h"
#include "fusion/merge_products.h"
#include "fusion/packed_conv.h"
#include "fusion/padding_names.h"
#include "fusion/passes.h"
#include "fusion/plain_operands.h"
#include "fusion/product_types.h"
#include "fusion/spellings.h"
#include "fusion/spread_concatenations.h"
#include "fusion/sums_of_products.h"
#include "fusion/tails.h"
#include "fusion/transformer.h"
#include "fusion/volume_conv.h"

namespace torchweld {
namespace {

// In front of a name, no pass knows the operator.
constexpr std::string_view kWhole = "whole ";

void number(Graph* graph) {
  for (size_t n = 0; n < graph->nodes.size(); ++n)
    graph->nodes[n].recorded = {static_cast<NodeId>(n)};
}

void hide(const std::map<NodeId, Whole>& whole, Graph* graph) {
  for (Node& node : graph->nodes) {
    if (!node.recorded.empty() && whole.contains(node.recorded[0])) node.op.insert(0, kWhole);
  }
}

void show(const std::map<NodeId, Whole>& whole, Graph* graph) {
  for (Node& node : graph->nodes) {
    if (!node.op.starts_with(kWhole)) continue;
    node.op.erase(0, kWhole.size());
    node.stays_whole = whole.at(node.recorded[0]);
  }
}

}  // namespace

Plan plan(Graph graph, const Target& target) {
  Plan plan;
  plan.recorded_nodes = static_cast<int>(graph.nodes.size());
  number(&graph);
  name_masked_writes(&graph);
  name_diagonal_fills(&graph);
  functionalise(&graph);
  plan.recorded_values = static_cast<ValueId>(graph.values.size());
  drop_views(&graph);
  hide(target.whole, &graph);
  number_paddings(&graph);
  respell(&graph, target);
  plain_operands(&graph);
  complex_parts(&graph);
  expand_transformers(&graph, target);
  retype_products(&graph, target);
  recognise_attention(&graph, target);
  products_of_sums(&graph, target);
  pack_convolutions(&graph, target);
  use_volume_convolutions(&graph, target);
  use_cudnn(&graph, target);
  spread_concatenations(&graph, target);
  decompose(&graph, target);
  widen_bytes_in_products(&graph, target);
  simplify(&graph, target);
  drop_dead(&graph);
  merge_products(&graph, target);
  std::vector<Group> groups = group(graph, target);
  attach_epilogues(graph, target, &groups);
  show(target.whole, &graph);
  emit_steps(&graph, groups, target, &plan);
  plan.graph = std::move(graph);
  join_tails(&plan);
  place_buffers(&plan, target);
  locate_operands(&plan);
  return plan;
}

}  // namespace torchweld
