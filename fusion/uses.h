// Who makes and who reads each storage: what the passes that replace several nodes by one ask.
#pragma once

#include <vector>

#include "loader/graph.h"

namespace torchweld {

/// Of the graph as it is when this is made.
class Uses {
 public:
  explicit Uses(const Graph& graph);

  /// The node that makes the storage of `id`, if one does and nobody writes to it; else kNone.
  NodeId maker(ValueId id) const { return is_written(id) ? kNone : at(id).maker; }

  /// Whether a node writes to the storage of `id`, or more than one make it: then a read can't
  /// move.
  bool is_written(ValueId id) const { return at(id).written; }

  /// Whether anybody reads or writes the storage of `id`, or it leaves the block.
  bool is_read(ValueId id) const { return at(id).reads > 0 || at(id).leaves || at(id).written; }

  /// The node that reads the storage of `id`, if it does so once and nobody else does, not even
  /// after the block; else kNone.
  NodeId only_reader(ValueId id) const;

 private:
  struct Use {
    NodeId maker = kNone, reader = kNone;
    int reads = 0;
    bool written = false, leaves = false;
  };
  const Use& at(ValueId id) const { return uses_[static_cast<size_t>(graph_.value(id).storage)]; }

  const Graph& graph_;
  std::vector<Use> uses_;
};

/// Whether `seen` shows all elements of `made` in their order, with the same last two dims: equal
/// layouts, or dense ones whose other dims are split otherwise.
bool shows_same_matrices(const Value& made, const Value& seen);

}  // namespace torchweld
