// The passes, in order.
#include "fusion/planner.h"

#include "fusion/attention.h"
#include "fusion/epilogue.h"
#include "fusion/merge_products.h"
#include "fusion/packed_conv.h"
#include "fusion/passes.h"
#include "fusion/transformer.h"

namespace torchweld {

Plan plan(Graph graph, const Target& target) {
  Plan plan;
  plan.recorded_nodes = static_cast<int>(graph.nodes.size());
  functionalise(&graph);
  drop_views(&graph);
  expand_transformers(&graph, target);
  recognise_attention(&graph, target);
  pack_convolutions(&graph, target);
  decompose(&graph, target);
  simplify(&graph, target);
  drop_dead(&graph);
  merge_products(&graph, target);
  std::vector<Group> groups = group(graph, target);
  attach_epilogues(graph, target, &groups);
  emit_steps(graph, groups, target, &plan);
  plan.graph = std::move(graph);
  place_buffers(&plan, target);
  locate_operands(&plan);
  return plan;
}

}  // namespace torchweld
