#include "fusion/spread_concatenations.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "fusion/node_args.h"
#include "fusion/pointwise.h"
#include "fusion/uses.h"

namespace torchweld {
namespace {

constexpr size_t kMostPieces = 4;
// Elements of a piece whose rows are along memory, and of one whose elements are not side by side,
// which code generators move by vectors.
constexpr int64_t kFewestInRow = 4, kFewestApart = 8;

/// Pieces that are parts of one dim: of a cat, or of a stack as its last dim, whose pieces take
/// turns in what is read as one dim.
struct Joined {
  std::vector<ValueId> pieces;
  std::vector<int64_t> begins, extents;
  int64_t step = 1;  ///< from element to element of a piece
  int64_t total = 0;
  size_t from_last = 0;  ///< the dim, counted from the last one
};

class Spreader {
 public:
  explicit Spreader(Graph* graph) : graph_(*graph) {}

  void run() {
    bool again = true;
    while (again) {
      again = false;
      uses_.emplace(graph_);
      for (NodeId n = 0; n < static_cast<NodeId>(graph_.nodes.size()) && !again; ++n)
        again = join_into_next(n) || spread(n);
    }
  }

 private:
  const Node& node(NodeId n) const { return graph_.nodes[static_cast<size_t>(n)]; }

  std::optional<Joined> stacked(NodeId n) const {
    const Node& stack = node(n);
    if (stack.op != "aten::stack" || !stack.pure || stack.outputs[0] == kNone) return std::nullopt;
    const Value& out = graph_.value(stack.outputs[0]);
    const auto dim = dim_arg(stack, 1, out.sizes.size());
    if (!dim || *dim + 1 != out.sizes.size() || out.sizes.size() < 2 || out.opaque ||
        out.strides != contiguous_strides(out.sizes))
      return std::nullopt;
    Joined j;
    j.pieces = stack.args[0].tensor_list()->ids;
    j.step = out.sizes.back();
    j.total = j.step * out.sizes[*dim - 1];
    for (int64_t k = 0; k < j.step; ++k) {
      j.begins.push_back(k);
      j.extents.push_back(out.sizes[*dim - 1]);
    }
    return j;
  }

  /// What is read of a stack, its last two dims as one; kNone where that isn't all.
  ValueId flattened(NodeId n, const Joined& j) const {
    const Value& out = graph_.value(node(n).outputs[0]);
    const NodeId reader = uses_->only_reader(node(n).outputs[0]);
    ValueId found = kNone;
    if (reader == kNone) return kNone;
    for_each_input(node(reader), [&](ValueId id) {
      const Value& v = graph_.value(id);
      if (v.storage == out.storage && v.dtype == out.dtype && v.offset == out.offset &&
          !v.sizes.empty() && v.sizes.back() == j.total && v.elements() == out.elements() &&
          v.strides == contiguous_strides(v.sizes))
        found = id;
    });
    return found;
  }

  std::optional<Joined> joined(NodeId n) const {
    const Node& cat = node(n);
    if (cat.op != "aten::cat" || !cat.pure || cat.outputs.size() != 1 || cat.outputs[0] == kNone)
      return std::nullopt;
    const Value& out = graph_.value(cat.outputs[0]);
    const auto dim = dim_arg(cat, 1, out.sizes.size());
    if (!dim || out.opaque || cat.args[0].tensor_list() == nullptr) return std::nullopt;
    Joined j;
    j.pieces = cat.args[0].tensor_list()->ids;
    j.from_last = out.sizes.size() - 1 - *dim;
    for (const ValueId id : j.pieces) {
      if (id == kNone) return std::nullopt;
      const Value& piece = graph_.value(id);
      if (piece.opaque || piece.sizes.size() != out.sizes.size() || piece.dtype != out.dtype)
        return std::nullopt;
      j.begins.push_back(j.total);
      j.extents.push_back(piece.sizes[*dim]);
      j.total += piece.sizes[*dim];
    }
    return j;
  }

  /// Pieces are read where the last operator stands, which may be after they are written.
  bool reads_written(const Joined& j) const {
    return std::any_of(j.pieces.begin(), j.pieces.end(),
                       [&](ValueId id) { return uses_->is_written(id); });
  }

  /// A cat that only another one along the same dim reads gives it its pieces.
  bool join_into_next(NodeId n) {
    const auto inner = joined(n);
    const NodeId reader = inner ? uses_->only_reader(node(n).outputs[0]) : kNone;
    const auto outer = reader == kNone ? std::nullopt : joined(reader);
    if (!outer || outer->from_last != inner->from_last || reads_written(*inner) ||
        inner->pieces.size() + outer->pieces.size() > kMostPieces + 1)
      return false;
    auto list = outer->pieces;
    const auto at = std::find(list.begin(), list.end(), node(n).outputs[0]);
    if (at == list.end()) return false;
    const auto begin = list.erase(at);
    list.insert(begin, inner->pieces.begin(), inner->pieces.end());
    Node& next = graph_.nodes[static_cast<size_t>(reader)];
    next.args[0] = {Arg::TensorList{std::move(list)}};
    next.recorded.insert(next.recorded.end(), node(n).recorded.begin(), node(n).recorded.end());
    graph_.nodes.erase(graph_.nodes.begin() + n);
    return true;
  }

  bool spread(NodeId n) {
    auto j = joined(n);
    whole_ = node(n).outputs.empty() ? kNone : node(n).outputs[0];
    if (!j && (j = stacked(n))) whole_ = flattened(n, *j);
    if (!j || whole_ == kNone || j->pieces.size() < 2 || j->pieces.size() > kMostPieces)
      return false;
    const int64_t least = *std::min_element(j->extents.begin(), j->extents.end());
    const int64_t fewest = j->step > 1 ? kFewestApart : kFewestInRow;
    if (least == 0 || (j->from_last == 0 && least < fewest) || reads_written(*j)) return false;
    joined_ = &*j;
    inside_ = {n};
    NodeId top = n;
    while (const auto next = next_above(top)) top = *next;
    if (top != n) replace(n, top);
    return top != n;
  }

  bool is_splittable(NodeId n) const {
    std::string why;
    const Node& by_element = node(n);
    const bool ends = graph_.ending.kind != Ending::Kind::kReturn &&
                      n + 1 == static_cast<NodeId>(graph_.nodes.size());
    if (ends) return false;
    return by_element.pure && by_element.writes.empty() && by_element.outputs.size() == 1 &&
           by_element.outputs[0] != kNone && is_pointwise(graph_, by_element, &why) &&
           size_along(by_element.outputs[0]) == joined_->total &&
           uses_->maker(by_element.outputs[0]) == n &&  // and nobody writes to it afterwards
           graph_.storage_of(by_element.outputs[0]).kind == Storage::Kind::kLocal;
  }

  /// Along the dim; 1 where the value has no such dim.
  int64_t size_along(ValueId id) const {
    const Value& v = graph_.value(id);
    return joined_->from_last < v.sizes.size() ? v.sizes[v.sizes.size() - 1 - joined_->from_last]
                                               : 1;
  }

  /// The operator by element that alone reads all that `below` makes, if it can be split.
  std::optional<NodeId> next_above(NodeId below) {
    const ValueId made = inside_.size() == 1 ? whole_ : node(below).outputs[0];
    const NodeId reader = uses_->only_reader(made);
    if (reader == kNone || !is_splittable(reader)) return std::nullopt;
    std::set<NodeId> more{reader};
    bool can = true, reads = false;
    for_each_input(node(reader), [&](ValueId id) {
      reads |= id == made;
      can &= id == made || can_split(id, reader, &more);
    });
    if (!can || !reads) return std::nullopt;
    inside_.insert(more.begin(), more.end());
    return reader;
  }

  /// Whether parts of an operand can be had: made so, or views of what is in memory anyway.
  bool can_split(ValueId id, NodeId reader, std::set<NodeId>* inside) const {
    if (uses_->is_written(id)) return false;
    if (size_along(id) == 1) return true;
    if (size_along(id) != joined_->total || graph_.value(id).opaque) return false;
    const NodeId maker = uses_->maker(id);
    if (maker == kNone || uses_->only_reader(id) != reader) return true;
    if (!is_splittable(maker) || node(maker).outputs[0] != id) return false;
    bool can = true;
    for_each_input(node(maker), [&](ValueId operand) { can &= can_split(operand, maker, inside); });
    if (can) inside->insert(maker);
    return can;
  }

  void replace(NodeId cat, NodeId top) {
    made_.clear();
    parts_.clear();
    const ValueId result = node(top).outputs[0];
    Node last = node(cat);
    std::vector<ValueId> pieces;
    for (size_t k = 0; k < joined_->pieces.size(); ++k) pieces.push_back(part(result, k));
    const size_t rank = graph_.value(result).sizes.size();
    last.args[0] = {Arg::TensorList{std::move(pieces)}};
    last.outputs = {result};
    if (joined_->step == 1) {
      last.args[1] = {static_cast<int64_t>(rank - 1 - joined_->from_last)};
    } else {
      Value split = graph_.value(result);
      split.sizes.back() = joined_->extents[0];
      split.sizes.push_back(joined_->step);
      split.strides.push_back(split.strides.back());
      split.strides[rank - 1] *= joined_->step;
      last.outputs = {graph_.add(std::move(split))};
      last.args[1] = {int64_t{-1}};
    }
    std::vector<Node> nodes;
    for (NodeId n = 0; n < static_cast<NodeId>(graph_.nodes.size()); ++n) {
      if (n == top) {
        std::move(made_.begin(), made_.end(), std::back_inserter(nodes));
        nodes.push_back(std::move(last));
      } else if (!inside_.contains(n)) {
        nodes.push_back(std::move(graph_.nodes[static_cast<size_t>(n)]));
      }
    }
    graph_.nodes = std::move(nodes);
  }

  ValueId part(ValueId id, size_t k) {
    if (id == whole_) return joined_->pieces[k];
    if (size_along(id) == 1) return id;
    const auto known = parts_.find({id, k});
    if (known != parts_.end()) return known->second;
    const NodeId maker = uses_->maker(id);
    const bool is_made = maker != kNone && inside_.contains(maker);
    const ValueId made = is_made ? part_of_result(maker, k) : slice(id, k);
    parts_[{id, k}] = made;
    return made;
  }

  ValueId part_of_result(NodeId maker, size_t k) {
    Node copy = node(maker);
    for_each_input(copy, [&](ValueId& id) { id = part(id, k); });
    Value v = graph_.value(copy.outputs[0]);
    v.sizes[v.sizes.size() - 1 - joined_->from_last] = joined_->extents[k];
    v.strides = contiguous_strides(v.sizes);
    v.offset = 0;
    v.storage = graph_.add(Storage{});
    graph_.storages.back().bytes = v.elements() * size_of(v.dtype);
    copy.outputs = {graph_.add(std::move(v))};
    made_.push_back(std::move(copy));
    return made_.back().outputs[0];
  }

  ValueId slice(ValueId id, size_t k) {
    Value v = graph_.value(id);
    const size_t dim = v.sizes.size() - 1 - joined_->from_last;
    v.sizes[dim] = joined_->extents[k];
    v.offset += joined_->begins[k] * v.strides[dim];
    v.strides[dim] *= joined_->step;
    v.has_scalar = false;
    return graph_.add(std::move(v));
  }

  Graph& graph_;
  std::optional<Uses> uses_;
  // Of the concatenation at hand.
  const Joined* joined_ = nullptr;
  ValueId whole_ = kNone;
  std::set<NodeId> inside_;  // what is replaced
  std::vector<Node> made_;
  std::map<std::pair<ValueId, size_t>, ValueId> parts_;
};

}  // namespace

void spread_concatenations(Graph* graph, const Target& target) {
  if (!target.rows && target.fuses) Spreader(graph).run();
}

}  // namespace torchweld
