// In-place writes that nobody outside can see become new values.
#include <map>
#include <utility>

#include "fusion/passes.h"
#include "fusion/pointwise.h"

namespace torchweld {
namespace {

/// Rewrites the graph front to back; `version_` is the storage that stands for an old one from here
/// on.
class Functionaliser {
 public:
  explicit Functionaliser(Graph* graph) : graph_(*graph) {}

  void run() {
    for (StorageId s = 0; s < static_cast<StorageId>(graph_.storages.size()); ++s)
      version_.push_back(s);
    for (Node& node : graph_.nodes) {
      for_each_input(node, [&](ValueId& id) { id = current(id); });
      if (is_private_write(node)) {
        make_new_version(node);
      } else {
        for (ValueId& id : node.writes) id = current(id);
        for (ValueId& id : node.outputs) id = id == kNone ? kNone : current(id);
      }
    }
    for (ValueId& id : graph_.outputs) id = current(id);
  }

 private:
  /// A pointwise write to all of a storage that the block itself made.
  bool is_private_write(const Node& node) const {
    if (node.writes.size() != 1 || functional_name(node.op) == node.op) return false;
    const Value& v = graph_.value(current_or(node.writes[0]));
    const Storage& s = graph_.storages[static_cast<size_t>(v.storage)];
    std::string why;
    return s.kind == Storage::Kind::kLocal && v.offset == 0 && is_dense(v) &&
           v.elements() * size_of(v.dtype) == s.bytes && is_pointwise(graph_, node, &why);
  }

  void make_new_version(Node& node) {
    const ValueId written = node.writes[0];
    const StorageId old = origin(graph_.value(written).storage);
    const Storage copy =
        graph_.storages[static_cast<size_t>(graph_.value(current(written)).storage)];
    version_[static_cast<size_t>(old)] = graph_.add(copy);
    version_.push_back(version_[static_cast<size_t>(old)]);
    origin_[version_[static_cast<size_t>(old)]] = old;
    node.op = functional_name(node.op);
    node.writes.clear();
    node.pure = true;
    node.outputs = {current(written)};
  }

  StorageId origin(StorageId s) const {
    const auto it = origin_.find(s);
    return it == origin_.end() ? s : it->second;
  }

  ValueId current_or(ValueId id) const {
    const StorageId now = version_[static_cast<size_t>(origin(graph_.value(id).storage))];
    const auto it = clones_.find({id, now});
    return it == clones_.end() ? id : it->second;
  }

  /// The value that shows in the newest version of its storage what `id` showed in the first.
  ValueId current(ValueId id) {
    const StorageId now = version_[static_cast<size_t>(origin(graph_.value(id).storage))];
    if (now == graph_.value(id).storage) return id;
    const auto [it, is_new] = clones_.try_emplace({id, now}, kNone);
    if (is_new) {
      Value clone = graph_.value(id);
      clone.storage = now;
      clone.has_scalar = false;
      it->second = graph_.add(std::move(clone));
    }
    return it->second;
  }

  Graph& graph_;
  std::vector<StorageId> version_;
  std::map<StorageId, StorageId> origin_;
  std::map<std::pair<ValueId, StorageId>, ValueId> clones_;
};

}  // namespace

void functionalise(Graph* graph) { Functionaliser(graph).run(); }

}  // namespace torchweld
