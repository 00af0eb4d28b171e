#include "fusion/byte_products.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fusion/node_args.h"
#include "fusion/pointwise.h"
#include "fusion/rewriter.h"
#include "fusion/uses.h"

namespace torchweld {
namespace {

constexpr int64_t kMostRows = 4;
/// What else the nodes read is this many times smaller: scales and zero points.
constexpr int64_t kBytesToOthers = 16;

/// x w' + added of w [n, k]; or x w + added of w [k, n], which is_transposed says.
struct Product {
  ValueId x = kNone, w = kNone, added = kNone;
  bool is_transposed = false;
};

std::optional<Product> product_of(const Graph& graph, const Node& node) {
  Product p;
  if (node.op == "aten::linear") {
    p = {tensor_arg(node, 0), tensor_arg(node, 1), tensor_arg(node, 2), false};
  } else if (node.op == "aten::mm" || node.op == "aten::matmul") {
    p = {tensor_arg(node, 0), tensor_arg(node, 1), kNone, true};
  } else if (node.op == "aten::addmm" && number_arg(node, 3) == 1 && number_arg(node, 4) == 1) {
    p = {tensor_arg(node, 1), tensor_arg(node, 2), tensor_arg(node, 0), true};
  }
  if (p.x == kNone || p.w == kNone || !node.pure || node.outputs.size() != 1 ||
      node.outputs[0] == kNone)
    return std::nullopt;
  const Value& x = graph.value(p.x);
  const Value& w = graph.value(p.w);
  const Value& out = graph.value(node.outputs[0]);
  const bool plain = is_floating(out.dtype) && x.dtype == out.dtype && w.dtype == out.dtype &&
                     !x.opaque && !w.opaque && !out.opaque && w.sizes.size() == 2 &&
                     x.sizes.size() >= 2 && out.sizes.size() == x.sizes.size();
  const bool few = plain && x.elements() > 0 && x.elements() / x.sizes.back() <= kMostRows;
  return few && out.elements() > 0 ? std::optional(p) : std::nullopt;
}

/// Replaces one product.
class Widening {
 public:
  Widening(Graph* graph, const Uses& uses, const Product& product, const Node& node, NodeId at)
      : graph_(*graph), uses_(uses), product_(product), node_(node), at_(at) {
    for (const Node& other : graph->nodes) {
      for (const ValueId id : other.writes) written_.insert(graph_.value(id).storage);
    }
  }

  /// The nodes instead of it; nullopt where its weights are no bytes, or others read them too.
  std::optional<std::vector<Node>> nodes() {
    const NodeId last = uses_.maker(product_.w);
    if (last == kNone || !shows_all_of(last) || !take(last, at_) || !reads_bytes_) return {};
    const Value out = graph_.value(node_.outputs[0]);
    sizes_ = out.sizes;
    sizes_.push_back(graph_.value(product_.x).sizes.back());
    Rewriter r(&graph_, node_);
    std::vector<std::pair<ValueId, ValueId>> made;
    std::vector<Node> all;
    for (const NodeId n : chain_) {
      all.push_back(over_domain(n, &r, &made));
      r.covers(node(n));
    }
    const DType type = compute_type(out.dtype);
    const ValueId x = wide(&r, spread_rows(), type), w = wide(&r, made.back().second, type);
    ValueId sum = r.call("aten::mul.Tensor", {tensor(x), tensor(w)}, r.fresh(type, sizes_));
    const Arg::Ints columns = {static_cast<int64_t>(out.sizes.size())};
    sum = r.call("aten::sum.dim_IntList", {tensor(sum), {columns}, {false}, {}},
                 r.fresh(type, out.sizes));
    if (product_.added != kNone)
      sum = r.call("aten::add.Tensor", {tensor(sum), tensor(product_.added), {int64_t{1}}},
                   r.fresh(type, out.sizes));
    r.cast(sum, node_.outputs[0]);
    for (Node& part : r.take()) {
      part.part_of = node_.op;
      all.push_back(std::move(part));
    }
    return all;
  }

 private:
  const Node& node(NodeId n) const { return graph_.nodes[static_cast<size_t>(n)]; }

  /// Whether the product reads what node n makes, as [n, k] or as [k, n].
  bool shows_all_of(NodeId n) {
    const Value& w = graph_.value(product_.w);
    const Value& made = graph_.value(node(n).outputs[0]);
    if (made.sizes.size() != 2 || made.offset != w.offset) return false;
    const auto turned = [](std::vector<int64_t> dims) {
      std::swap(dims[0], dims[1]);
      return dims;
    };
    if (made.sizes == w.sizes && made.strides == w.strides) return true;
    product_.is_transposed = !product_.is_transposed;
    return made.sizes == turned(w.sizes) && made.strides == turned(w.strides);
  }

  /// Takes node n, which `reader` alone reads, and those before it down to the bytes. In the
  /// order in which they run.
  bool take(NodeId n, NodeId reader) {
    std::string why;
    const Node& taken = node(n);
    if (!taken.pure || taken.outputs.size() != 1 || uses_.only_reader(taken.outputs[0]) != reader ||
        !is_pointwise(graph_, taken, &why))
      return false;
    const Value& out = graph_.value(taken.outputs[0]);
    bool all = true;
    for_each_input(taken, [&](ValueId id) {
      const Value& v = graph_.value(id);
      all &= !written_.contains(v.storage);  // perhaps before the product, where the node will run
      const bool large = v.elements() > out.elements() / kBytesToOthers;
      const bool bytes = v.dtype == DType::kI8 || v.dtype == DType::kU8;
      if (!all || !large || v.sizes != out.sizes || bytes) {
        all &= !large || (bytes && v.sizes == out.sizes && lies_along_rows(v));
        reads_bytes_ |= large && bytes;
        return;
      }
      const NodeId before = uses_.maker(id);
      all = before != kNone && v.same_layout(graph_.value(node(before).outputs[0])) &&
            take(before, n);
    });
    chain_.push_back(n);
    return all;
  }

  /// Else the threads of a row would read a byte a line each.
  bool lies_along_rows(const Value& v) const {
    return v.strides[product_.is_transposed ? 0 : 1] == 1;
  }

  /// A tensor that broadcasts to what the nodes made, over [..., n, k].
  ValueId spread(ValueId id) {
    Value v = graph_.value(id);
    if (v.sizes.empty()) return id;
    std::vector<int64_t> strides(2, 0);
    for (size_t d = 2 - v.sizes.size(), i = 0; d < 2; ++d, ++i)
      strides[d] = v.sizes[i] == 1 ? 0 : v.strides[i];
    if (product_.is_transposed) std::swap(strides[0], strides[1]);
    v.strides.assign(sizes_.size() - 2, 0);
    v.strides.insert(v.strides.end(), strides.begin(), strides.end());
    v.sizes = sizes_;
    v.has_scalar = false;
    return graph_.add(std::move(v));
  }

  ValueId spread_rows() {
    Value x = graph_.value(product_.x);
    x.strides.insert(x.strides.end() - 1, 0);
    x.sizes = sizes_;
    x.has_scalar = false;
    return graph_.add(std::move(x));
  }

  /// A node of the chain over [..., n, k]; `made` says what the others have become.
  Node over_domain(NodeId n, Rewriter* r, std::vector<std::pair<ValueId, ValueId>>* made) {
    Node copy = node(n);
    for_each_input(copy, [&](ValueId& id) {
      const auto is_it = [&](const auto& old) {
        return graph_.value(old.first).storage == graph_.value(id).storage;
      };
      const auto known = std::find_if(made->begin(), made->end(), is_it);
      id = known == made->end() ? spread(id) : known->second;
    });
    const ValueId out = r->fresh(graph_.value(copy.outputs[0]).dtype, sizes_);
    made->emplace_back(copy.outputs[0], out);
    copy.outputs = {out};
    return copy;
  }

  ValueId wide(Rewriter* r, ValueId id, DType type) {
    return graph_.value(id).dtype == type ? id : r->cast(id, r->fresh(type, sizes_));
  }

  Graph& graph_;
  const Uses& uses_;
  Product product_;
  const Node node_;
  const NodeId at_;
  std::set<StorageId> written_;
  std::vector<NodeId> chain_;
  std::vector<int64_t> sizes_;  ///< the result's and k
  bool reads_bytes_ = false;
};

}  // namespace

void widen_bytes_in_products(Graph* graph, const Target& target) {
  if (!target.rows || !target.fuses || target.rounding != Rounding::kDefault) return;
  const Uses uses(*graph);
  std::vector<Node> nodes;
  bool changed = false;
  for (NodeId n = 0; n < static_cast<NodeId>(graph->nodes.size()); ++n) {
    const Node node = graph->nodes[static_cast<size_t>(n)];
    const auto product = product_of(*graph, node);
    auto parts = product ? Widening(graph, uses, *product, node, n).nodes() : std::nullopt;
    changed |= parts.has_value();
    if (parts) {
      for (Node& part : *parts) nodes.push_back(std::move(part));
    } else {
      nodes.push_back(node);
    }
  }
  if (changed) graph->nodes = std::move(nodes);
}

}  // namespace torchweld
