// In-place writes that nobody outside can see become new values.
#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "fusion/passes.h"
#include "fusion/pointwise.h"
#include "kernels/op_table.h"

namespace torchweld {
namespace {

/// Dense, with dims in the order that they have in memory: what ATen gives a new result.
std::vector<int64_t> dense_strides_as(const Value& v) {
  std::vector<size_t> order(v.sizes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return v.strides[a] > v.strides[b]; });
  std::vector<int64_t> strides(order.size());
  int64_t step = 1;
  for (auto d = order.rbegin(); d != order.rend(); ++d) {
    strides[*d] = step;
    step *= v.sizes[*d];
  }
  return strides;
}

/// Rewrites the graph front to back; `version_` is the storage that stands for an old one from here
/// on.
class Functionaliser {
 public:
  explicit Functionaliser(Graph* graph) : graph_(*graph) {}

  void run() {
    for (StorageId s = 0; s < static_cast<StorageId>(graph_.storages.size()); ++s)
      version_.push_back(s);
    find_mentions();
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      Node& node = graph_.nodes[n];
      const bool writes_part = is_write_of_part(node, n);
      for_each_input(node, [&](ValueId& id) { id = current(id); });
      if (is_private_write(node)) {
        make_new_version(node);
      } else if (writes_part) {
        make_new_part(node);
      } else {
        for (ValueId& id : node.writes) id = current(id);
        for (ValueId& id : node.outputs) id = id == kNone ? kNone : current(id);
      }
    }
    for (ValueId& id : graph_.outputs) id = current(id);
  }

 private:
  /// Where the recorded graph names a value: the node, or the number of nodes for a result.
  struct Mention {
    size_t node;
    ValueId id;
  };

  void find_mentions() {
    mentions_.resize(graph_.storages.size());
    const auto add = [&](size_t node, ValueId id) {
      if (id != kNone)
        mentions_[static_cast<size_t>(graph_.value(id).storage)].push_back({node, id});
    };
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
      for_each_input(graph_.nodes[n], [&](ValueId id) { add(n, id); });
      for (const ValueId id : graph_.nodes[n].outputs) add(n, id);
    }
    for (const ValueId id : graph_.outputs) add(graph_.nodes.size(), id);
  }

  /// A pointwise write to a part of what the block makes and keeps, such as a chunk, of which from
  /// here on nobody sees less or more than the whole part.
  bool is_write_of_part(const Node& node, size_t at) const {
    if (node.writes.size() != 1 || functional_name(node.op) == node.op ||
        graph_.storage_of(node.writes[0]).kind != Storage::Kind::kLocal)
      return false;
    const Value& part = graph_.value(node.writes[0]);
    const auto& mentions = mentions_[static_cast<size_t>(part.storage)];
    for (auto m = mentions.rbegin(); m != mentions.rend() && m->node >= at; ++m) {
      const Value& v = graph_.value(m->id);
      const bool is_result = m->node == graph_.nodes.size();
      if (is_result || v.opaque || (!v.same_layout(part) && may_overlap(v, part))) return false;
    }
    std::string why;
    return is_pointwise(graph_, node, &why);
  }

  /// A dense value of its own stands for the part from here on.
  void make_new_part(Node& node) {
    const ValueId part = node.writes[0];
    Value made;
    made.dtype = graph_.value(part).dtype;
    made.sizes = graph_.value(part).sizes;
    made.strides = dense_strides_as(graph_.value(part));
    made.storage = graph_.add(Storage{});
    graph_.storages.back().bytes = made.elements() * size_of(made.dtype);
    version_.push_back(made.storage);
    parts_[graph_.value(part).storage].push_back({part, graph_.add(std::move(made))});
    become_functional(node, current(part));
  }

  void become_functional(Node& node, ValueId out) {
    node.op = functional_name(node.op);
    node.writes.clear();
    node.pure = true;
    node.outputs = {out};
  }

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
    become_functional(node, current(written));
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
    if (const auto parts = parts_.find(graph_.value(id).storage); parts != parts_.end()) {
      for (auto p = parts->second.rbegin(); p != parts->second.rend(); ++p) {
        if (graph_.value(p->first).same_layout(graph_.value(id))) return p->second;
      }
    }
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
  std::vector<std::vector<Mention>> mentions_;                           // by storage
  std::map<StorageId, std::vector<std::pair<ValueId, ValueId>>> parts_;  // and what stands for each
};

}  // namespace

void functionalise(Graph* graph) { Functionaliser(graph).run(); }

}  // namespace torchweld
