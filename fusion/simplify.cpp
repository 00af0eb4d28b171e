// Identities and common subexpressions. Only storages that are written once take part, so order
// doesn't matter.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "fusion/passes.h"
#include "fusion/pointwise.h"
#include "kernels/op_table.h"
#include "loader/graph_text.h"

namespace torchweld {
namespace {

class Simplifier {
 public:
  Simplifier(Graph* graph, const Target& target)
      : graph_(*graph), exact_(target.rounding == Rounding::kExact) {
    for (const Node& node : graph_.nodes) {
      for (const ValueId id : node.writes) written_.insert(graph_.value(id).storage);
    }
    for (const ValueId id : graph_.outputs) leaving_.insert(graph_.value(id).storage);
  }

  void run() {
    std::map<std::string, ValueId> known;
    std::set<size_t> gone;
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      Node& node = graph_.nodes[i];
      for_each_input(node, [&](ValueId& id) { id = canonical(id); });
      if (!node.pure || node.reads_host || node.outputs.size() != 1 || node.outputs[0] == kNone)
        continue;
      const ValueId out = node.outputs[0];
      rewrite(node);
      const auto same = unchanged_operand(node);
      if (same && replace(out, *same)) {
        gone.insert(i);
        continue;
      }
      if (reads_written(node)) continue;  // the same call gives something else after the write
      const auto [it, is_new] = known.try_emplace(key(node), out);
      if (!is_new && replace(out, it->second)) {
        gone.insert(i);
      } else {
        producer_[graph_.value(out).storage] = i;
      }
    }
    std::vector<Node> kept;
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (!gone.contains(i)) kept.push_back(std::move(graph_.nodes[i]));
    }
    graph_.nodes = std::move(kept);
  }

 private:
  static std::string layout_key(const Value& v) {
    return fmt::format("{} {} {} {} {}", v.storage, v.offset, name_of(v.dtype),
                       fmt::join(v.sizes, ","), fmt::join(v.strides, ","));
  }

  /// One id for all values that show the same elements the same way.
  ValueId canonical(ValueId id) {
    if (graph_.value(id).opaque) return id;
    return canonical_.try_emplace(layout_key(graph_.value(id)), id).first->second;
  }

  bool reads_written(const Node& node) const {
    bool found = false;
    for_each_input(node, [&](ValueId id) { found |= written_.contains(graph_.value(id).storage); });
    return found;
  }

  std::string key(const Node& node) const {
    Node call = node;
    call.outputs.clear();
    call.source.clear();
    const Value& v = graph_.value(node.outputs[0]);
    return fmt::format("{} {} {}", to_text(graph_, call), name_of(v.dtype),
                       fmt::join(v.strides, ","));
  }

  /// The number that an argument is for every element, if it is one.
  std::optional<double> number(const Arg& arg) const {
    if (const auto* i = std::get_if<int64_t>(&arg.value)) return static_cast<double>(*i);
    if (const auto* d = std::get_if<double>(&arg.value)) return *d;
    const auto* t = arg.tensor();
    if (t == nullptr || t->id == kNone) return std::nullopt;
    const Value& v = graph_.value(t->id);
    return v.has_scalar && v.sizes.empty() ? std::optional(v.scalar) : std::nullopt;
  }

  bool same_type_and_shape(ValueId a, ValueId b) const {
    const Value& x = graph_.value(a);
    const Value& y = graph_.value(b);
    return x.dtype == y.dtype && x.sizes == y.sizes && x.strides == y.strides;
  }

  static std::string base(const Node& node) { return node.op.substr(0, node.op.find('.')); }

  /// The operand that a node's result equals element by element, if the node changes nothing.
  std::optional<ValueId> unchanged_operand(const Node& node) const {
    const auto* x = node.args.empty() ? nullptr : node.args[0].tensor();
    if (x == nullptr || x->id == kNone || !same_type_and_shape(x->id, node.outputs[0]))
      return std::nullopt;
    const OpRow* row = find_op(node.op);
    if (row == nullptr) return std::nullopt;
    if (row->name == "copy")
      return base(node) == "aten::copy" ? std::nullopt : std::optional(x->id);
    if (node.args.size() < 2) return std::nullopt;
    const auto n = number(node.args[1]);
    if (!n) return std::nullopt;
    const bool integral = is_integral(graph_.value(x->id).dtype);
    const std::string op = base(node);
    const bool plus_zero =
        op == "aten::add" && *n == 0 && (integral || !exact_);  // -0.0 + 0 is +0.0
    const bool minus_zero = op == "aten::sub" && *n == 0 && !std::signbit(*n);
    const bool rounds = node.args.size() > 2 && !node.args[2].is_none();
    const bool by_one =
        (op == "aten::mul" || (op == "aten::div" && !rounds) || op == "aten::pow") && *n == 1;
    return plus_zero || minus_zero || by_one ? std::optional(x->id) : std::nullopt;
  }

  void rewrite(Node& node) {
    const std::string op = base(node);
    if (op == "aten::add" && node.args.size() == 3 && node.args[0] == node.args[1] &&
        number(node.args[2]) == 1.0) {
      node.op = "aten::mul.Scalar";  // b + b is exactly b * 2
      node.args = {node.args[0], Arg{int64_t{2}}};
    }
    if (base(node) == "aten::mul" && node.args.size() == 2) merge_factors(node);
  }

  /// (x * a) * b becomes x * (a * b) where that can't overflow or underflow earlier than before.
  void merge_factors(Node& node) {
    const auto* x = node.args[0].tensor();
    const auto b = number(node.args[1]);
    if (x == nullptr || !b || !same_type_and_shape(x->id, node.outputs[0])) return;
    const auto it = producer_.find(graph_.value(x->id).storage);
    if (it == producer_.end() || written_.contains(it->first)) return;  // no longer x * a
    const Node& inner = graph_.nodes[it->second];
    if (base(inner) != "aten::mul" || inner.outputs[0] != x->id || inner.args.size() != 2) return;
    const auto* first = inner.args[0].tensor();
    const auto a = number(inner.args[1]);
    if (first == nullptr || !a || !same_type_and_shape(first->id, x->id)) return;
    const bool integral = is_integral(graph_.value(x->id).dtype);
    const bool grows = std::abs(*a) >= 1 && std::abs(*b) >= 1,
               shrinks = std::abs(*a) <= 1 && std::abs(*b) <= 1;
    const double product = *a * *b;
    if (integral ? std::abs(product) > 9e15
                 : exact_ || !(grows || shrinks) || !std::isfinite(product))
      return;
    node.op = "aten::mul.Scalar";
    const Arg factor = integral ? Arg{static_cast<int64_t>(product)} : Arg{product};
    node.args = {inner.args[0], factor};
  }

  /// Lets every value in `gone`'s storage show `kept`'s instead; false when somebody outside could
  /// tell.
  bool replace(ValueId gone, ValueId kept) {
    const Value& g = graph_.value(gone);
    const Value& k = graph_.value(kept);
    const StorageId from = g.storage, to = k.storage;
    if (from == to || g.offset != k.offset || !same_type_and_shape(gone, kept)) return false;
    if (written_.contains(from) || written_.contains(to) || leaving_.contains(from)) return false;
    for (Value& v : graph_.values) {
      if (v.storage == from) v.storage = to;
    }
    canonical_.clear();
    return true;
  }

  Graph& graph_;
  bool exact_;
  std::set<StorageId> written_, leaving_;
  std::map<std::string, ValueId> canonical_;
  std::map<StorageId, size_t> producer_;
};

}  // namespace

void simplify(Graph* graph, const Target& target) { Simplifier(graph, target).run(); }

}  // namespace torchweld
