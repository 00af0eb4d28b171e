#include "fusion/uses.h"

namespace torchweld {
namespace {

bool is_row_major(const Value& v) {
  int64_t stride = 1;
  for (size_t d = v.sizes.size(); d-- > 0;) {
    if (v.sizes[d] != 1 && v.strides[d] != stride) return false;
    stride *= v.sizes[d];
  }
  return true;
}

}  // namespace

Uses::Uses(const Graph& graph) : graph_(graph), uses_(graph.storages.size()) {
  const auto use = [this](ValueId id) -> Use& {
    return uses_[static_cast<size_t>(graph_.value(id).storage)];
  };
  for (NodeId n = 0; n < static_cast<NodeId>(graph.nodes.size()); ++n) {
    const Node& node = graph.nodes[static_cast<size_t>(n)];
    for_each_input(node, [&](ValueId id) {
      use(id).reader = n;
      ++use(id).reads;
    });
    for (const ValueId id : node.writes) use(id).written = true;
    for (const ValueId id : node.outputs) {
      if (id == kNone) continue;
      if (use(id).maker == kNone) use(id).maker = n;
      use(id).written |= graph.value(id).opaque || use(id).maker != n;
    }
  }
  for (const ValueId id : graph.outputs) use(id).leaves = true;
}

NodeId Uses::only_reader(ValueId id) const {
  const Use& use = at(id);
  return use.reads == 1 && !use.leaves && !use.written ? use.reader : kNone;
}

bool shows_same_matrices(const Value& made, const Value& seen) {
  if (made.same_layout(seen)) return true;
  const size_t r = made.sizes.size(), s = seen.sizes.size();
  return r >= 2 && s >= 2 && made.storage == seen.storage && made.dtype == seen.dtype &&
         made.offset == seen.offset && made.elements() == seen.elements() &&
         made.sizes[r - 1] == seen.sizes[s - 1] && made.sizes[r - 2] == seen.sizes[s - 2] &&
         is_row_major(made) && is_row_major(seen);
}

}  // namespace torchweld
