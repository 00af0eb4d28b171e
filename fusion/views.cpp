// Views and dead nodes.
#include <algorithm>
#include <set>

#include "fusion/passes.h"

namespace torchweld {
namespace {

/// Memory that other values see as elements of their own.
bool is_strided(const Value& v) { return !v.opaque || v.dtype == DType::kC64; }

bool only_views(const Graph& graph, const Node& node) {
  if (!node.pure || node.reads_host || node.outputs.empty()) return false;
  std::set<StorageId> read;
  bool plain = true;
  for_each_input(node, [&](ValueId id) {
    read.insert(graph.value(id).storage);
    plain &= is_strided(graph.value(id));
  });
  return plain && std::all_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
           return id == kNone ||
                  (is_strided(graph.value(id)) && read.contains(graph.value(id).storage));
         });
}

/// Whether all that a node does shows in what it makes and in memory of the block's own.
bool only_makes(const Graph& graph, const Node& node) {
  if (node.reads_host) return false;
  return node.pure || (node.op == "aten::copy_" &&
                       graph.storage_of(node.writes[0]).kind == Storage::Kind::kLocal);
}

}  // namespace

void drop_views(Graph* graph) {
  // The views that end a block have shapes of their own in each call (tensor_split at indices).
  const bool by_data = graph->ending.kind == Ending::Kind::kDynamicShape;
  const Node* const last = by_data && !graph->nodes.empty() ? &graph->nodes.back() : nullptr;
  std::vector<Node> kept;
  for (Node& n : graph->nodes) {
    if (&n == last || !only_views(*graph, n)) kept.push_back(std::move(n));
  }
  graph->nodes = std::move(kept);
}

void drop_dead(Graph* graph) {
  std::set<StorageId> needed;
  for (const ValueId id : graph->outputs) needed.insert(graph->value(id).storage);
  std::vector<Node> kept;
  for (auto node = graph->nodes.rbegin(); node != graph->nodes.rend(); ++node) {
    const auto is_needed = [&](ValueId id) {
      return id != kNone && needed.contains(graph->value(id).storage);
    };
    const bool used = std::any_of(node->outputs.begin(), node->outputs.end(), is_needed) ||
                      std::any_of(node->writes.begin(), node->writes.end(), is_needed);
    if (only_makes(*graph, *node) && !used) continue;
    for_each_input(*node, [&](ValueId id) { needed.insert(graph->value(id).storage); });
    kept.push_back(std::move(*node));
  }
  graph->nodes.assign(std::make_move_iterator(kept.rbegin()), std::make_move_iterator(kept.rend()));
}

}  // namespace torchweld
