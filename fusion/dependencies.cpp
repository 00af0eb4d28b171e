#include "fusion/dependencies.h"

#include <algorithm>
#include <map>

namespace torchweld {

std::vector<std::vector<NodeId>> dependencies(const Graph& graph) {
  struct Access {
    NodeId writer = kNone;
    std::vector<NodeId> readers;  // since the last write
  };
  std::map<StorageId, Access> access;
  std::vector<std::vector<NodeId>> before(graph.nodes.size());
  NodeId last_draw = kNone;
  for (NodeId n = 0; n < static_cast<NodeId>(graph.nodes.size()); ++n) {
    const Node& node = graph.nodes[static_cast<size_t>(n)];
    std::vector<NodeId>& deps = before[static_cast<size_t>(n)];
    const auto add = [&](NodeId d) {
      if (d != kNone && d != n) deps.push_back(d);
    };
    for_each_input(node, [&](ValueId id) {
      Access& a = access[graph.value(id).storage];
      add(a.writer);
      a.readers.push_back(n);
    });
    const auto write = [&](ValueId id) {
      Access& a = access[graph.value(id).storage];
      add(a.writer);
      for (const NodeId reader : a.readers) add(reader);
      a = {n, {}};
    };
    for (const ValueId id : node.writes) write(id);
    for (const ValueId id : node.outputs) {
      if (id != kNone && access[graph.value(id).storage].writer == kNone &&
          graph.storage_of(id).kind == Storage::Kind::kLocal)
        write(id);
    }
    if (node.draws) {  // in LibTorch's order
      add(last_draw);
      last_draw = n;
    }
    std::sort(deps.begin(), deps.end());
    deps.erase(std::unique(deps.begin(), deps.end()), deps.end());
  }
  return before;
}

}  // namespace torchweld
