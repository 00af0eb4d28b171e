// Grouping of pointwise operators and reductions: greedy along producer-consumer edges, never
// making a cycle.
#include <algorithm>
#include <functional>
#include <queue>
#include <set>

#include "fusion/dependencies.h"
#include "fusion/indexed.h"
#include "fusion/member.h"
#include "fusion/passes.h"

namespace torchweld {
namespace {

constexpr size_t kMostMembers =
    48;  // bodies past this spill registers on every target we generate for

constexpr int64_t kLineElements = 16;  // float32 of a cache line
constexpr int64_t kFirstCacheLines = 512;

/// A set of group numbers.
class GroupSet {
 public:
  explicit GroupSet(size_t size) : words_((size + 63) / 64) {}
  bool has(int g) const { return (words_[static_cast<size_t>(g) / 64] >> (g % 64) & 1) != 0; }
  void add(int g) { words_[static_cast<size_t>(g) / 64] |= uint64_t{1} << (g % 64); }
  void remove(int g) { words_[static_cast<size_t>(g) / 64] &= ~(uint64_t{1} << (g % 64)); }
  void add(const GroupSet& other) {
    for (size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
  }

 private:
  std::vector<uint64_t> words_;
};

class Grouper {
 public:
  Grouper(const Graph& graph, const Target& target)
      : graph_(graph), target_(target), before_(dependencies(graph)) {
    const size_t n = graph.nodes.size();
    waits_for_.assign(n, GroupSet(n));
    groups_.resize(n);
    group_of_.resize(n);
    reduces_.resize(n, false);
    indexed_.resize(n, false);
    scatters_.resize(n, false);
  }

  std::vector<Group> run() {
    for (NodeId n = 0; n < static_cast<NodeId>(graph_.nodes.size()); ++n) place(n);
    return ordered();
  }

 private:
  const Node& node(NodeId n) const { return graph_.nodes[static_cast<size_t>(n)]; }
  int group_of(NodeId n) const { return group_of_[static_cast<size_t>(n)]; }
  Group& at(int g) { return groups_[static_cast<size_t>(g)]; }
  GroupSet& waits(int g) { return waits_for_[static_cast<size_t>(g)]; }

  /// Every node starts as a group of its own and, when it fuses, merges with the groups of its
  /// producers.
  void place(NodeId n) {
    Group& mine = at(n);
    group_of_[static_cast<size_t>(n)] = n;
    mine.nodes = {n};
    if (const auto member = member_of(graph_, node(n), target_, &mine.reason)) {
      mine.fuses = true;
      mine.domain = member->domain;
      reduces_[static_cast<size_t>(n)] = member->reduction.has_value();
      indexed_[static_cast<size_t>(n)] = member->indexed;
      scatters_[static_cast<size_t>(n)] = member->scatters;
      mine.indexed = member->indexed;
    }
    for (const NodeId d : before_[static_cast<size_t>(n)]) {
      waits(n).add(group_of(d));
      waits(n).add(waits(group_of(d)));
    }
    if (!mine.fuses) return;
    for (const NodeId d : before_[static_cast<size_t>(n)]) {
      const int g = group_of(d);
      if (g != group_of(n) && may_merge(g, group_of(n))) merge(g, group_of(n));
    }
  }

  bool may_merge(int a, int b) {
    const Group& x = at(a);
    const Group& y = at(b);
    if (!x.fuses || !y.fuses || x.nodes.size() + y.nodes.size() > kMostMembers) return false;
    if (!may_write(x, y) || !may_write(y, x)) return false;
    if (spreads_rows(x, y) || spreads_rows(y, x)) return false;
    const auto domain = common_domain(x.domain, y.domain);
    // Coordinates are those of the node's own domain.
    if (domain && x.indexed && domain->sizes != x.domain.sizes) return false;
    if (domain && y.indexed && domain->sizes != y.domain.sizes) return false;
    if (!domain || reads_moved(y, x, *domain) || reads_moved(x, y, *domain)) return false;
    return !is_between(a, b) && !is_between(b, a) &&
           operands(x, y) <= static_cast<size_t>(kMaxOperands);
  }

  /// Whether a copy among `copies` writes elements of rows that `rows` reduces far apart: each is a
  /// cache line's only one, and the line is gone from the first cache when the next row writes its
  /// neighbour. A kernel without rows goes along both.
  bool spreads_rows(const Group& copies, const Group& rows) const {
    if (!target_.float_rows || target_.rows || !rows.domain.has_rows()) return false;
    return std::any_of(copies.nodes.begin(), copies.nodes.end(), [&](NodeId n) {
      if (node(n).op != "aten::copy_" || node(n).writes.size() != 1) return false;
      const Value& to = graph_.value(node(n).writes[0]);
      const auto& [sizes, reduced] = rows.domain;
      int64_t row = 1, stride = 0;
      for (size_t d = 1; d <= sizes.size() && d <= to.sizes.size(); ++d) {
        if (!reduced[sizes.size() - d] || sizes[sizes.size() - d] == 1) continue;
        if (row == 1) stride = to.strides[to.sizes.size() - d];
        row *= sizes[sizes.size() - d];
      }
      return stride >= kLineElements && row > kFirstCacheLines;
    });
  }

  /// Whether what `writer` writes in place is nothing that a member of `other` reads or makes:
  /// within a kernel, writes at other places have no order. Elements beside those that `other`
  /// writes are nothing of its.
  bool may_write(const Group& writer, const Group& other) const {
    bool touched = false;
    for (const NodeId n : writer.nodes) {
      for (const ValueId written : node(n).writes) {
        const Value& target = graph_.value(written);
        const auto touches = [&](ValueId id) {
          const Value& v = graph_.value(id);
          return v.storage == target.storage && !lie_beside(v, target);
        };
        for (const NodeId m : other.nodes) {
          touched |= touches(result_of(node(m)));
          for_each_input(node(m), [&](ValueId id) { touched |= touches(id); });
        }
      }
    }
    return !touched;
  }

  /// Whether two views of one layout have no element in common: pieces of a concatenation, the
  /// parts of complex numbers.
  static bool lie_beside(const Value& a, const Value& b) {
    return a.dtype == b.dtype && a.sizes == b.sizes && a.strides == b.strides && !may_overlap(a, b);
  }

  /// Whether a member of `reader` reads a result of `made` at other places than where it is
  /// computed.
  bool reads_moved(const Group& reader, const Group& made, const Domain& domain) const {
    for (const NodeId m : made.nodes) {
      const Value& out = graph_.value(result_of(node(m)));
      const auto made_at = strides_of_result(graph_, domain, node(m));
      for (const NodeId n : reader.nodes) {
        bool moved = false;
        for_each_input(node(n), [&](ValueId id) {
          const Value& v = graph_.value(id);
          if (v.storage != out.storage || moved || lie_beside(v, out)) return;
          const bool elsewhere = indexed_[static_cast<size_t>(n)] &&
                                 !scatters_[static_cast<size_t>(n)] && !reads_in_place(node(n), id);
          if (elsewhere) {
            moved = true;
            return;
          }
          const auto read_at =
              strides_of_operand(graph_, domain, node(n), id, reduces_[static_cast<size_t>(n)]);
          moved |= !same_elements(domain, out, made_at, v, read_at);
        });
        if (moved) return true;
      }
    }
    return false;
  }

  /// Whether some other group waits for `first` while `last` waits for it.
  bool is_between(int first, int last) {
    if (!waits(last).has(first)) return false;
    for (int g = 0; g < static_cast<int>(groups_.size()); ++g) {
      if (g != first && g != last && waits(last).has(g) && !at(g).nodes.empty() &&
          waits(g).has(first))
        return true;
    }
    return false;
  }

  size_t operands(const Group& x, const Group& y) const {
    std::set<ValueId> loads, made;
    for (const Group* g : {&x, &y}) {
      for (const NodeId n : g->nodes) made.insert(result_of(node(n)));
      for (const NodeId n : g->nodes)
        for_each_input(node(n), [&](ValueId id) { loads.insert(id); });
    }
    size_t count = made.size();  // at worst, every member's result is stored
    for (const ValueId id : loads)
      count += made.contains(id) || graph_.value(id).has_scalar ? 0 : 1;
    const bool large = x.nodes.size() + y.nodes.size() > 12;
    return large ? count - made.size() + made.size() / 4 : count;
  }

  /// Merges `b` into `a`.
  void merge(int a, int b) {
    for (const NodeId n : at(b).nodes) group_of_[static_cast<size_t>(n)] = a;
    at(a).nodes.insert(at(a).nodes.end(), at(b).nodes.begin(), at(b).nodes.end());
    std::sort(at(a).nodes.begin(), at(a).nodes.end());
    at(b).nodes.clear();
    at(a).indexed = at(a).indexed || at(b).indexed;
    at(a).domain = *common_domain(at(a).domain, at(b).domain);
    waits(a).add(waits(b));
    waits(a).remove(a);
    waits(a).remove(b);
    for (int g = 0; g < static_cast<int>(groups_.size()); ++g) {
      if (at(g).nodes.empty() || g == a) continue;
      if (waits(g).has(b)) {
        waits(g).remove(b);
        waits(g).add(a);
      }
      if (waits(g).has(a)) waits(g).add(waits(a));
    }
  }

  /// Kahn's order; among groups that are ready, the one with the earliest node first.
  std::vector<Group> ordered() {
    std::vector<std::set<int>> pending(groups_.size());
    std::vector<std::vector<int>> after(groups_.size());
    for (NodeId n = 0; n < static_cast<NodeId>(graph_.nodes.size()); ++n) {
      for (const NodeId d : before_[static_cast<size_t>(n)]) {
        if (group_of(d) == group_of(n)) continue;
        if (pending[static_cast<size_t>(group_of(n))].insert(group_of(d)).second)
          after[static_cast<size_t>(group_of(d))].push_back(group_of(n));
      }
    }
    using Entry = std::pair<NodeId, int>;
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> ready;
    for (int g = 0; g < static_cast<int>(groups_.size()); ++g) {
      if (!at(g).nodes.empty() && pending[static_cast<size_t>(g)].empty())
        ready.emplace(at(g).nodes[0], g);
    }
    std::vector<Group> out;
    while (!ready.empty()) {
      const int g = ready.top().second;
      ready.pop();
      for (const int next : after[static_cast<size_t>(g)]) {
        pending[static_cast<size_t>(next)].erase(g);
        if (pending[static_cast<size_t>(next)].empty()) ready.emplace(at(next).nodes[0], next);
      }
      out.push_back(std::move(at(g)));
    }
    return out;
  }

  const Graph& graph_;
  const Target& target_;
  std::vector<std::vector<NodeId>> before_;
  std::vector<Group> groups_;
  std::vector<int> group_of_;
  std::vector<bool> reduces_, indexed_, scatters_;  // by node
  std::vector<GroupSet> waits_for_;
};

}  // namespace

std::vector<Group> group(const Graph& graph, const Target& target) {
  return Grouper(graph, target).run();
}

}  // namespace torchweld
