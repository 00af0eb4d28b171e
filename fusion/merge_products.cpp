#include "fusion/merge_products.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "fusion/attention.h"
#include "fusion/epilogue.h"
#include "fusion/matmul.h"
#include "fusion/member.h"
#include "fusion/rewriter.h"
#include "fusion/uses.h"

namespace torchweld {
namespace {

/// Of all weights of one merged product: larger ones take so long to read that a launch doesn't
/// count.
constexpr int64_t kMostWeightBytes = int64_t{16} << 20;

/// Bytes that a part's columns start at a multiple of: the widest access of kernels and products.
constexpr int64_t kAlignment = 16;

/// One of the products that become one.
struct Part {
  NodeId product = kNone, activation = kNone;
  ValueId x = kNone, weight = kNone, bias = kNone;  ///< weight and bias are whole constants
  bool by_columns = false;                          ///< the weight is [k, n], not [n, k]
  int64_t columns = 0;
  ValueId result = kNone;  ///< of the activation, if there is one
};

/// A view of a dense [rows, columns] as it is within columns [first, first + columns) of a dense
/// [rows, total].
std::optional<Value> among(Value v, int64_t columns, int64_t first, int64_t total) {
  const int64_t row = v.offset / columns, column = v.offset % columns;
  int64_t last = column;
  for (size_t d = 0; d < v.sizes.size(); ++d) {
    if (v.sizes[d] == 1) continue;
    if (v.strides[d] % columns == 0) {
      v.strides[d] = v.strides[d] / columns * total;
    } else {
      last += (v.sizes[d] - 1) * v.strides[d];
    }
  }
  if (last >= columns) return std::nullopt;
  v.offset = row * total + first + column;
  return v;
}

class Merger {
 public:
  Merger(Graph* graph, const Target& target)
      : graph_(*graph), target_(target), uses_(*graph), replaced_(graph->nodes.size()) {
    for (const Node& node : graph->nodes) {
      for (const ValueId id : node.writes) written_.insert(storage(id));
    }
    for (const ValueId id : graph->outputs) leaving_.insert(storage(id));
    for (NodeId n = 0; n < static_cast<NodeId>(graph->nodes.size()); ++n) {
      for_each_input(node(n), [&](ValueId id) {
        readers_[storage(id)].push_back(n);
        views_[storage(id)].insert(id);
      });
      for (const ValueId id : node(n).outputs) {
        if (id != kNone) views_[storage(id)].insert(id);
      }
    }
  }

  void run() {
    using Key = std::tuple<ValueId, bool, bool, std::string>;
    std::map<Key, std::vector<Part>> sets;
    for (NodeId n = 0; n < static_cast<NodeId>(graph_.nodes.size()); ++n) {
      const auto part = part_of(n);
      if (!part) continue;
      const std::string activation = part->activation == kNone ? "" : node(part->activation).op;
      sets[{part->x, part->bias != kNone, part->by_columns, activation}].push_back(*part);
    }
    for (auto& [key, parts] : sets) {
      keep_small(&parts);
      if (parts.size() > 1) merge(parts);
    }
    std::vector<Node> nodes;
    for (size_t n = 0; n < replaced_.size(); ++n) {
      for (Node& merged : replaced_[n]) nodes.push_back(std::move(merged));
      if (!gone_.contains(static_cast<NodeId>(n))) nodes.push_back(std::move(graph_.nodes[n]));
    }
    graph_.nodes = std::move(nodes);
  }

 private:
  const Node& node(NodeId n) const { return graph_.nodes[static_cast<size_t>(n)]; }
  StorageId storage(ValueId id) const { return graph_.value(id).storage; }

  /// The whole constant behind a value, or kNone.
  ValueId constant_of(ValueId id) const {
    const Storage& s = graph_.storage_of(id);
    return s.kind == Storage::Kind::kConstant ? graph_.constants[static_cast<size_t>(s.index)]
                                              : kNone;
  }

  std::optional<Part> part_of(NodeId n) const {
    Matmul m;
    std::string why;
    if (!make_matmul(graph_, node(n), &m, &why) || m.shape.alpha != 1 || m.shape.beta != 0)
      return std::nullopt;
    const Value& x = graph_.value(m.b_value);
    const bool stays_aligned = m.shape.m * size_of(x.dtype) % kAlignment == 0;
    if (x.sizes.size() < 2 || written_.contains(x.storage) || !stays_aligned) return std::nullopt;
    Part p{.product = n, .x = m.b_value, .columns = m.shape.m, .result = m.out_value};
    if (!take_weight(m, node(n).op == "aten::linear", &p) || !take_bias(m, &p) ||
        !take_activation(m, &p))
      return std::nullopt;
    const NodeId maker = p.activation == kNone ? n : p.activation;
    return uses_.maker(p.result) == maker && can_move(p) ? std::optional(p) : std::nullopt;
  }

  bool take_weight(const Matmul& m, bool is_transposed, Part* p) const {
    Value w = graph_.value(m.a_value);
    p->weight = constant_of(m.a_value);
    if (p->weight == kNone || w.sizes.size() != 2) return false;
    const Value& whole = graph_.value(p->weight);
    p->by_columns = !is_transposed;
    if (w.same_layout(whole)) return true;
    std::swap(w.sizes[0], w.sizes[1]);
    std::swap(w.strides[0], w.strides[1]);
    p->by_columns = is_transposed;
    return w.same_layout(whole);
  }

  bool take_bias(const Matmul& m, Part* p) const {
    if (m.bias_value == kNone) return true;
    p->bias = constant_of(m.bias_value);
    const Value& bias = graph_.value(m.bias_value);
    return p->bias != kNone && bias.sizes.size() == 1 && bias.same_layout(graph_.value(p->bias));
  }

  /// An activation that would be this product's epilogue is to be the merged one's.
  bool take_activation(Matmul m, Part* p) const {
    const NodeId reader = uses_.only_reader(m.out_value);
    if (reader == kNone || !add_epilogue(graph_, node(reader), &m)) return true;
    if (m.shape.epilogue == cuda::Epilogue::kNone) return node(reader).op != "aten::add.Tensor";
    const std::vector<NodeId> next = readers_of(storage(m.out_value));
    const bool joins_a_kernel = std::any_of(next.begin(), next.end(), [this](NodeId r) {
      std::string why;
      return member_of(graph_, node(r), target_, &why).has_value();
    });
    if (joins_a_kernel) return true;
    p->activation = reader;
    p->result = m.out_value;
    return true;
  }

  /// Whether everyone who reads the result may find it among the columns of a larger one.
  bool can_move(const Part& p) const {
    const StorageId result = storage(p.result);
    const auto& views = views_.at(result);
    return !leaving_.contains(result) && graph_.value(p.result).offset == 0 &&
           graph_.value(p.result).strides == contiguous_strides(graph_.value(p.result).sizes) &&
           std::all_of(views.begin(), views.end(),
                       [&](ValueId id) {
                         return among(graph_.value(id), p.columns, 0, p.columns).has_value();
                       }) &&
           reads_by_strides(result);
  }

  std::vector<NodeId> readers_of(StorageId s) const {
    const auto it = readers_.find(s);
    return it == readers_.end() ? std::vector<NodeId>() : it->second;
  }

  /// Whether kernels and products alone read a storage.
  bool reads_by_strides(StorageId s) const {
    const std::vector<NodeId> all = readers_of(s);
    return std::all_of(all.begin(), all.end(), [this](NodeId n) {
      Matmul product;
      AttentionCall attention;
      std::string why;
      return member_of(graph_, node(n), target_, &why) ||
             make_matmul(graph_, node(n), &product, &why) ||
             (node(n).op == kAttentionOp &&
              make_attention(graph_, node(n), target_, &attention, &why));
    });
  }

  void keep_small(std::vector<Part>* parts) const {
    int64_t bytes = 0;
    std::erase_if(*parts, [&](const Part& p) {
      const Value& w = graph_.value(p.weight);
      const int64_t mine = w.elements() * size_of(w.dtype);
      if (bytes + mine > kMostWeightBytes) return true;
      bytes += mine;
      return false;
    });
  }

  void merge(const std::vector<Part>& parts) {
    int64_t total = 0, first = 0;
    for (const Part& p : parts) total += p.columns;
    std::map<ValueId, Value> before;
    for (const Part& p : parts) {
      for (const ValueId id : views_.at(storage(p.result))) {
        before.emplace(id, graph_.value(id));
        graph_.value(id) = *among(graph_.value(id), p.columns, first, total);
      }
      first += p.columns;
    }
    const bool fits = std::all_of(parts.begin(), parts.end(), [&](const Part& p) {
      return reads_by_strides(storage(p.result));
    });
    if (!fits) {
      for (auto& [id, v] : before) graph_.value(id) = std::move(v);
      return;
    }
    std::vector<Node> nodes = merged_nodes(parts, total);
    for (const auto& [id, v] : before) graph_.value(id).storage = storage(nodes.back().outputs[0]);
    for (const Part& p : parts) gone_.insert({p.product, p.activation});
    replaced_[static_cast<size_t>(parts[0].product)] = std::move(nodes);
  }

  std::vector<Node> merged_nodes(const std::vector<Part>& parts, int64_t total) {
    Rewriter r(&graph_, node(parts[0].product));
    for (const Part& p : parts) {
      if (p.product != parts[0].product) r.covers(node(p.product));
      if (p.activation != kNone) r.covers(node(p.activation));
    }
    Arg::TensorList weights, biases;
    for (const Part& p : parts) {
      weights.ids.push_back(p.weight);
      biases.ids.push_back(p.bias);
    }
    const DType dtype = graph_.value(parts[0].x).dtype;
    std::vector<int64_t> sizes = graph_.value(parts[0].x).sizes;
    const int64_t k = sizes.back();
    sizes.back() = total;
    const bool by_columns = parts[0].by_columns;
    ValueId weight = r.setup("aten::cat", {{weights}, {int64_t{by_columns}}}, dtype,
                             by_columns ? std::vector{k, total} : std::vector{total, k});
    if (by_columns) {
      Value transposed = graph_.value(weight);
      std::swap(transposed.sizes[0], transposed.sizes[1]);
      std::swap(transposed.strides[0], transposed.strides[1]);
      weight = graph_.add(std::move(transposed));
    }
    const Arg bias = parts[0].bias == kNone
                         ? Arg{}
                         : tensor(r.setup("aten::cat", {{biases}, {int64_t{0}}}, dtype, {total}));
    const ValueId product = r.call("aten::linear", {tensor(parts[0].x), tensor(weight), bias},
                                   r.fresh(dtype, std::move(sizes)));
    if (parts[0].activation != kNone) {
      const Node& activation = node(parts[0].activation);
      std::vector<Arg> args = activation.args;
      args[0] = tensor(product);
      r.like(activation.op.c_str(), std::move(args), product);
    }
    return r.take();
  }

  Graph& graph_;
  const Target& target_;
  Uses uses_;
  std::set<StorageId> written_, leaving_;
  std::map<StorageId, std::vector<NodeId>> readers_;
  std::map<StorageId, std::set<ValueId>> views_;
  std::set<NodeId> gone_;
  std::vector<std::vector<Node>> replaced_;  ///< by node, what comes in its place
};

}  // namespace

void merge_products(Graph* graph, const Target& target) {
  if (target.blas && target.rounding == Rounding::kDefault) Merger(graph, target).run();
}

}  // namespace torchweld
