#include "fusion/fuse.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fusion/indexed.h"
#include "fusion/member.h"
#include "fusion/pointwise.h"
#include "fusion/scatter.h"
#include "kernels/geometry.h"
#include "kernels/op_table.h"

namespace torchweld {
namespace {

bool is_immediate(const Value& v) {
  return v.has_scalar && (is_floating(v.dtype) || std::abs(v.scalar) < 9e15);
}

/// "mul" of aten::mul.Tensor, "softmax" of what came of one.
std::string short_name(const Node& node) {
  const std::string& op = node.part_of.empty() ? node.op : node.part_of;
  if (const OpRow* row = find_op(op)) return std::string(row->name);
  const size_t colons = op.find("::");
  const size_t begin = colons == std::string::npos ? 0 : colons + 2;
  return op.substr(begin, op.find('.') - begin);
}

/// The body and operands of one kernel, as its members are added in order.
class KernelBuilder final : public IndexedKernel {
 public:
  KernelBuilder(const Graph& graph, const Domain& domain, const Target& target)
      : graph_(graph),
        domain_(domain),
        any_order_(!target.rows),
        pinned_(domain.sizes.size(), false) {}

  BodyBuilder& body() override { return body_; }
  int16_t coord(size_t dim) override {
    if (domain_.sizes[dim] == 1) return body_.constant_int(DType::kI64, 0);
    pinned_[dim] = true;
    return body_.coord(static_cast<int>(dim));
  }
  int16_t number(int64_t value) override {
    const auto it = std::find(params_.begin(), params_.end(), value);
    const auto at = static_cast<int>(it - params_.begin());
    if (it == params_.end()) params_.push_back(value);
    return body_.param(at);
  }
  int16_t load(ValueId id, const std::vector<int64_t>& strides, int16_t offset,
               int16_t predicate) override {
    if (offset < 0 && predicate < 0) return operand_at_places(id, strides);
    for (const Known& k : known_)
      reads_moved_ |= graph_.value(k.id).storage == graph_.value(id).storage;
    const int at = operand_at(id, strides);
    return body_.load_at(at, graph_.value(id).dtype, offset, predicate);
  }

  int16_t here(ValueId id) override { return operand(*node_, id, false); }

  /// Appends the node's definition. False, and `why`, when it has none here.
  bool add(const Node& node, const Target& target, std::string* why) {
    const auto member = member_of(graph_, node, target, why);
    if (!member) return false;
    node_ = &node;
    const ValueId out = result_of(node);
    if (member->scatters) return add_scatter(*kernel_scatter(graph_, node), why);
    std::optional<int16_t> value;
    if (member->reduction) {
      value = emit_reduction(body_, *member->reduction,
                             operand(node, member->reduction->operand, true));
    } else if (member->indexed) {
      value = emit_indexed(graph_, node, this);
    } else {
      value = emit_node(
          body_, graph_, node, [&](ValueId id) { return operand(node, id, false); }, why);
    }
    if (!value) return false;
    if (!reads_where_it_may(why)) return false;
    known_.push_back({out, strides_of_result(graph_, domain_, node),
                      body_.settle(*value, graph_.value(out).dtype)});
    return true;
  }

  /// The result of the member added last leaves the kernel.
  void store_last() { stores_.push_back({known_.back()}); }
  bool stores_nothing() const { return stores_.empty(); }

  bool finish(Step* step, std::string* why) const {
    std::vector<std::vector<int64_t>> strides;
    for (const Known& k : loads_) strides.push_back(k.strides);
    for (const Stored& k : stores_) strides.push_back(k.strides);
    if (strides.size() > static_cast<size_t>(kMaxOperands)) {
      *why = "too many operands for one kernel";
      return false;
    }
    const auto layout = coalesce(domain_.sizes, strides, static_cast<int>(stores_.size()),
                                 {domain_.reduced, pinned_, any_order_});
    if (!layout) {
      *why = fmt::format("more than {} dimensions", kMaxRank);
      return false;
    }
    KernelSpec& spec = step->spec;
    spec.rank = layout->rank;
    spec.reduced = layout->reduced;
    std::vector<int16_t> roots;
    for (const Stored& k : stores_) {
      for (const int16_t root : {k.value, k.offset, k.predicate}) {
        if (root >= 0) roots.push_back(root);
      }
    }
    spec.body = body_.finish(&roots);
    for (Inst& inst : spec.body) {
      if (inst.prim == Prim::kCoord)
        inst.imm_int = layout->places[static_cast<size_t>(inst.imm_int)];
    }
    for (size_t i = 0; i < loads_.size(); ++i)
      spec.loads.push_back({graph_.value(loads_[i].id).dtype, layout->classes[i]});
    size_t next = 0;
    for (size_t i = 0; i < stores_.size(); ++i) {
      const Stored& k = stores_[i];
      const Value& v = graph_.value(k.id);
      StoreSpec store{{v.dtype, layout->classes[loads_.size() + i]}, roots[next++]};
      if (k.offset >= 0) store.offset = roots[next++];
      if (k.predicate >= 0) store.predicate = roots[next++];
      store.accumulates = k.accumulates;
      store.per_row = k.offset < 0 && space_of(domain_, v.sizes) != Space::kFull;
      spec.stores.push_back(store);
    }
    step->geometry = layout->geometry;
    step->geometry.params = params_;
    step->reads = ids(loads_);
    step->makes = ids(stores_);
    return true;
  }

 private:
  /// A value that is in the kernel: made, or loaded from these strides over the domain.
  struct Known {
    ValueId id;
    std::vector<int64_t> strides;
    int16_t value;
  };

  /// One that leaves it, to where it lies or to where a scatter puts it.
  struct Stored : Known {
    int16_t offset = -1, predicate = -1;
    bool accumulates = false;
  };

  template <class List>
  static std::vector<ValueId> ids(const List& list) {
    std::vector<ValueId> out;
    for (const Known& k : list) out.push_back(k.id);
    return out;
  }

  bool add_scatter(const Scatter& scatter, std::string* why) {
    const ScatteredValue v = emit_scatter(graph_, scatter, this);
    if (!reads_where_it_may(why)) return false;
    Stored store{{scatter.target, scatter.target_strides, v.value}};
    store.offset = v.offset;
    store.predicate = v.predicate;
    store.accumulates = scatter.accumulates();
    stores_.push_back(std::move(store));
    return true;
  }

  bool reads_where_it_may(std::string* why) const {
    if (reads_moved_) *why = "reads a member's result through a view";
    return !reads_moved_;
  }

  int16_t operand(const Node& node, ValueId id, bool reduces) {
    return operand_at_places(id, strides_of_operand(graph_, domain_, node, id, reduces));
  }

  int16_t operand_at_places(ValueId id, const std::vector<int64_t>& strides) {
    const Value& v = graph_.value(id);
    for (const Known& k : known_) {
      if (same_elements(domain_, graph_.value(k.id), k.strides, v, strides)) return k.value;
    }
    for (const Known& k : known_) reads_moved_ |= may_overlap(graph_.value(k.id), v);
    if (is_immediate(v)) {
      const DType type = compute_type(v.dtype);
      return is_floating(type) ? body_.constant(type, v.scalar)
                               : body_.constant_int(type, static_cast<int64_t>(v.scalar));
    }
    return body_.load(operand_at(id, strides), v.dtype);
  }

  /// The number of the operand that is read from these places.
  int operand_at(ValueId id, const std::vector<int64_t>& strides) {
    for (size_t i = 0; i < loads_.size(); ++i) {
      const Known& k = loads_[i];
      if (same_elements(domain_, graph_.value(k.id), k.strides, graph_.value(id), strides))
        return static_cast<int>(i);
    }
    loads_.push_back({id, strides, -1});
    return static_cast<int>(loads_.size()) - 1;
  }

  const Graph& graph_;
  const Domain& domain_;
  const bool any_order_;        // rows of floats have no places
  const Node* node_ = nullptr;  // the member that is being added
  // Halves round after every operator, in every mode: LibTorch's answer is the product, and a chain
  // that keeps float32 differs from it by more than torch.testing's tolerances where terms cancel
  // (docs/decisions/half-rounding.md).
  BodyBuilder body_{Rounding::kExact};
  std::vector<Known> known_;  // results of members
  std::vector<Known> loads_;
  std::vector<Stored> stores_;
  std::vector<bool> pinned_;  // dims whose coordinate a member asked for
  std::vector<int64_t> params_;
  bool reads_moved_ = false;
};

}  // namespace

Fuser::Fuser(const Graph& graph, const Target& target) : graph_(graph), target_(target) {
  for (const ValueId id : graph.outputs) leaving_.insert(graph.value(id).storage);
  for (NodeId n = 0; n < static_cast<NodeId>(graph.nodes.size()); ++n) {
    for_each_input(graph.nodes[static_cast<size_t>(n)],
                   [&](ValueId id) { readers_[graph.value(id).storage].push_back(n); });
  }
}

/// Whether a member's result is read by anyone but the members of its group.
bool Fuser::leaves(ValueId id, const Group& group) const {
  const StorageId s = graph_.value(id).storage;
  if (leaving_.contains(s)) return true;
  const auto it = readers_.find(s);
  return it != readers_.end() &&
         std::any_of(it->second.begin(), it->second.end(), [&](NodeId reader) {
           return !std::binary_search(group.nodes.begin(), group.nodes.end(), reader);
         });
}

bool Fuser::fuse(const Group& group, Step* step, std::string* why) const {
  KernelBuilder builder(graph_, group.domain, target_);
  for (const NodeId n : group.nodes) {
    if (!builder.add(node(n), target_, why)) return false;
    const bool is_stored = kernel_scatter(graph_, node(n)).has_value();
    if (is_stored) continue;
    if (!node(n).writes.empty() || leaves(result_of(node(n)), group)) builder.store_last();
  }
  if (builder.stores_nothing() || !builder.finish(step, why)) return false;
  step->kind = Step::Kind::kFused;
  step->nodes = group.nodes;
  step->spec.name = step->name = name_of_kernel(group);
  return !target_.can_compile || target_.can_compile(step->spec, step->geometry, why);
}

/// "fused_mul_add_gelu_f32": what a profiler shows.
std::string Fuser::name_of_kernel(const Group& group) const {
  constexpr size_t kMostNames = 6;
  std::vector<std::string> names;
  const Node* previous = nullptr;
  for (const NodeId n : group.nodes) {
    const bool goes_on = previous != nullptr && !node(n).part_of.empty() &&
                         previous->part_of == node(n).part_of && previous->source == node(n).source;
    previous = &node(n);
    if (!goes_on) names.push_back(short_name(node(n)));
  }
  std::string name = names.size() > 1 ? "fused" : "single";
  for (size_t i = 0; i < names.size() && i < kMostNames; ++i) name += "_" + names[i];
  if (names.size() > kMostNames) name += fmt::format("_and_{}_more", names.size() - kMostNames);
  return fmt::format("{}_{}", name,
                     name_of(graph_.value(result_of(node(group.nodes.back()))).dtype));
}

}  // namespace torchweld
