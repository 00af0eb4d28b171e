// Groups as steps.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "fusion/library_ops.h"
#include "fusion/passes.h"
#include "fusion/pointwise.h"
#include "fusion/row_sum.h"
#include "fusion/small_conv.h"
#include "fusion/small_matmul.h"
#include "kernels/geometry.h"
#include "kernels/op_table.h"

namespace torchweld {
namespace {

/// Element strides of a value over a domain that it broadcasts to.
std::vector<int64_t> strides_over(const Value& v, const std::vector<int64_t>& domain) {
  std::vector<int64_t> strides(domain.size(), 0);
  const size_t skip = domain.size() - v.sizes.size();
  for (size_t d = 0; d < v.sizes.size(); ++d)
    strides[skip + d] = v.sizes[d] == 1 ? 0 : v.strides[d];
  return strides;
}

/// The result's own dimensions of size 1 keep no stride; a result that has a stride for them is
/// stored as if it had none.
bool is_immediate(const Value& v) {
  return v.has_scalar && (is_floating(v.dtype) || std::abs(v.scalar) < 9e15);
}

class Emitter {
 public:
  Emitter(const Graph& graph, const Target& target) : graph_(graph), target_(target) {
    for (const ValueId id : graph.outputs) leaving_.insert(graph.value(id).storage);
    for (NodeId n = 0; n < static_cast<NodeId>(graph.nodes.size()); ++n) {
      for_each_input(graph.nodes[static_cast<size_t>(n)],
                     [&](ValueId id) { readers_[graph.value(id).storage].push_back(n); });
    }
  }

  void emit(const Group& group, std::vector<Step>* steps) {
    std::string why = group.reason;
    if (group.pointwise) {
      Step fused;
      if (fuse(group, &fused, &why)) {
        steps->push_back(std::move(fused));
        return;
      }
      if (group.nodes.size() > 1) return emit_halves(group, steps);
    }
    for (const NodeId n : group.nodes) steps->push_back(single(n, why));
  }

 private:
  const Node& node(NodeId n) const { return graph_.nodes[static_cast<size_t>(n)]; }

  /// A group that is too much for one kernel, as two: members are in recorded order, so the first
  /// waits for nothing in the second.
  void emit_halves(const Group& group, std::vector<Step>* steps) {
    const auto middle = group.nodes.begin() + static_cast<std::ptrdiff_t>(group.nodes.size() / 2);
    Group half = group;
    half.nodes.assign(group.nodes.begin(), middle);
    emit(half, steps);
    half.nodes.assign(middle, group.nodes.end());
    emit(half, steps);
  }

  Step single(NodeId n, const std::string& why) {
    Step step;
    step.nodes = {n};
    step.name = node(n).op;
    collect(&step);
    if (target_.hand_kernels && by_hand(n, &step)) return step;
    step.kind = Step::Kind::kEager;
    step.library = is_library_op(node(n).op);
    if (!step.library) step.reason = why_eager(node(n), why);
    return step;
  }

  static std::string why_eager(const Node& node, const std::string& why) {
    if (node.reads_host) return "gives the host a value that depends on tensor data";
    if (!node.pure && node.writes.empty())
      return "draws random numbers, which have to come in LibTorch's order";
    return why.empty() ? "not a pointwise operator" : why;
  }

  bool by_hand(NodeId n, Step* step) const {
    if (node(n).outputs.size() != 1 || node(n).outputs[0] == kNone || !node(n).pure) return false;
    if (make_small_matmul(graph_, node(n), &step->matmul)) {
      step->kind = Step::Kind::kSmallMatmul;
      step->name =
          fmt::format("small_matmul_{}x{}x{}", step->matmul.m, step->matmul.k, step->matmul.n);
    } else if (make_small_conv(graph_, node(n), &step->conv)) {
      const x86::ConvShape& s = step->conv.shape;
      step->kind = Step::Kind::kSmallConv;
      step->name = fmt::format("small_conv_{}x{}x{}", s.positions(), s.taps(), s.out_channels);
    } else if (make_row_sum(graph_, node(n), &step->row_sum)) {
      step->kind = Step::Kind::kRowSum;
      step->name = fmt::format("row_sum_{}x{}", step->row_sum.rows, step->row_sum.columns);
    } else {
      return false;
    }
    return true;
  }

  void collect(Step* step) const {
    std::set<ValueId> made;
    for (const NodeId n : step->nodes) {
      for_each_input(node(n), [&](ValueId id) {
        const bool seen =
            std::find(step->reads.begin(), step->reads.end(), id) != step->reads.end();
        if (!made.contains(id) && !seen) step->reads.push_back(id);
      });
      for (const ValueId id : node(n).outputs) {
        if (id != kNone) made.insert(id);
      }
    }
    step->makes.assign(made.begin(), made.end());
  }

  /// Whether a member's result is read by anyone but the members of its group.
  bool leaves(ValueId id, const Group& group) const {
    const StorageId s = graph_.value(id).storage;
    if (leaving_.contains(s)) return true;
    const auto it = readers_.find(s);
    return it != readers_.end() &&
           std::any_of(it->second.begin(), it->second.end(), [&](NodeId reader) {
             return !std::binary_search(group.nodes.begin(), group.nodes.end(), reader) ||
                    reads_as_view(reader, id);
           });
  }

  /// A member that reads another member's result through a view reads memory, not a register.
  bool reads_as_view(NodeId reader, ValueId id) const {
    bool view = false;
    for_each_input(node(reader), [&](ValueId read) {
      view |= graph_.value(read).storage == graph_.value(id).storage &&
              !graph_.value(read).same_layout(graph_.value(id));
    });
    return view;
  }

  bool fuse(const Group& group, Step* step, std::string* why) {
    step->kind = Step::Kind::kFused;
    step->nodes = group.nodes;
    collect(step);
    // Halves round after every operator, in every mode: LibTorch's answer is the product, and a
    // chain that keeps float32 differs from it by more than torch.testing's tolerances where terms
    // cancel (docs/decisions/half-rounding.md).
    BodyBuilder body(Rounding::kExact);
    std::map<ValueId, int16_t> values;
    std::vector<ValueId> loads, stores;
    std::vector<int16_t> roots;
    const auto value_of = [&](ValueId id) { return operand(id, &body, &values, &loads); };
    for (const NodeId n : group.nodes) {
      const auto value = emit_node(body, graph_, node(n), value_of, why);
      if (!value) return false;
      const ValueId out = node(n).writes.empty() ? node(n).outputs[0] : node(n).writes[0];
      if (reads_foreign_view(n, group)) {
        *why = "reads a member's result through a view";
        return false;
      }
      values[out] = body.settle(*value, graph_.value(out).dtype);
      if (node(n).writes.empty() && !leaves(out, group)) continue;
      stores.push_back(out);
      roots.push_back(values[out]);
    }
    if (stores.empty()) return false;
    return finish(group, body, roots, loads, stores, step, why);
  }

  bool reads_foreign_view(NodeId n, const Group& group) const {
    for (const NodeId other : group.nodes) {
      if (other == n) break;
      if (node(other).writes.empty() && reads_as_view(n, node(other).outputs[0])) return true;
    }
    return false;
  }

  int16_t operand(ValueId id, BodyBuilder* body, std::map<ValueId, int16_t>* values,
                  std::vector<ValueId>* loads) const {
    for (const auto& [known, value] : *values) {
      if (known == id || graph_.value(known).same_layout(graph_.value(id))) return value;
    }
    const Value& v = graph_.value(id);
    int16_t value = 0;
    if (is_immediate(v)) {
      const DType type = compute_type(v.dtype);
      value = is_floating(type) ? body->constant(type, v.scalar)
                                : body->constant_int(type, static_cast<int64_t>(v.scalar));
    } else {
      value = body->load(static_cast<int>(loads->size()), v.dtype);
      loads->push_back(id);
    }
    return (*values)[id] = value;
  }

  bool finish(const Group& group, const BodyBuilder& body, std::vector<int16_t> roots,
              const std::vector<ValueId>& loads, const std::vector<ValueId>& stores, Step* step,
              std::string* why) const {
    const std::vector<int64_t>& domain = graph_.value(stores[0]).sizes;
    std::vector<std::vector<int64_t>> strides;
    for (const ValueId id : loads) strides.push_back(strides_over(graph_.value(id), domain));
    for (const ValueId id : stores) strides.push_back(strides_over(graph_.value(id), domain));
    if (strides.size() > static_cast<size_t>(kMaxOperands)) {
      *why = "too many operands for one kernel";
      return false;
    }
    const auto layout = coalesce(domain, strides, static_cast<int>(stores.size()));
    if (!layout) {
      *why = fmt::format("more than {} dimensions", kMaxRank);
      return false;
    }
    KernelSpec& spec = step->spec;
    spec.name = step->name = kernel_name(group);
    spec.rank = layout->rank;
    spec.body = body.finish(&roots);
    for (size_t i = 0; i < loads.size(); ++i)
      spec.loads.push_back({graph_.value(loads[i]).dtype, layout->classes[i]});
    for (size_t i = 0; i < stores.size(); ++i) {
      spec.stores.push_back(
          {{graph_.value(stores[i]).dtype, layout->classes[loads.size() + i]}, roots[i]});
    }
    step->geometry = layout->geometry;
    step->reads = loads;
    step->makes = stores;
    return !target_.can_compile || target_.can_compile(spec, step->geometry, why);
  }

  /// "fused_mul_add_gelu_f32": what a profiler shows.
  std::string kernel_name(const Group& group) const {
    constexpr size_t kMostNames = 6;
    std::string name = group.nodes.size() > 1 ? "fused" : "single";
    for (size_t i = 0; i < group.nodes.size() && i < kMostNames; ++i) {
      name += fmt::format("_{}", find_op(node(group.nodes[i]).op)->name);
    }
    if (group.nodes.size() > kMostNames)
      name += fmt::format("_and_{}_more", group.nodes.size() - kMostNames);
    const Node& last = node(group.nodes.back());
    return fmt::format(
        "{}_{}", name,
        name_of(graph_.value(last.writes.empty() ? last.outputs[0] : last.writes[0]).dtype));
  }

  const Graph& graph_;
  const Target& target_;
  std::set<StorageId> leaving_;
  std::map<StorageId, std::vector<NodeId>> readers_;
};

}  // namespace

void emit_steps(const Graph& graph, const std::vector<Group>& groups, const Target& target,
                Plan* plan) {
  Emitter emitter(graph, target);
  for (const Group& g : groups) emitter.emit(g, &plan->steps);
}

}  // namespace torchweld
