// A group of nodes as one kernel: its spec, geometry and operands.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "fusion/passes.h"

namespace torchweld {

class Fuser {
 public:
  Fuser(const Graph& graph, const Target& target);

  /// Fills the step. False, and `why`, when one kernel can't hold the group.
  bool fuse(const Group& group, Step* step, std::string* why) const;

 private:
  const Node& node(NodeId n) const { return graph_.nodes[static_cast<size_t>(n)]; }
  bool leaves(ValueId id, const Group& group) const;
  std::string name_of_kernel(const Group& group) const;

  const Graph& graph_;
  const Target& target_;
  std::set<StorageId> leaving_;
  std::map<StorageId, std::vector<NodeId>> readers_;
};

}  // namespace torchweld
