#include "fusion/product_types.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>

#include "fusion/node_args.h"
#include "fusion/rewriter.h"

namespace torchweld {
namespace {

// What oneDNN's bfloat16 products have to save for their call, measured on one core of an EPYC with
// AVX512-BF16: [1, 1000] x [1000, 1000] takes 92 us there, 44 by hand in float32; [128, 1000] x
// [1000, 1000] 1230 and 2600.
constexpr int64_t kFewestProducts = int64_t{1} << 20;
constexpr int64_t kFewestUses = 16;  // of each number of the second factor
// Of one call that stays bfloat16, in which oneDNN needs half the time for it. On a Zen 5 core
// [24, 384] x [384, 1536] takes as long there as in float32 by hand, networks of convolutions
// longer.
constexpr int64_t kFewestOfBFloat16 = int64_t{1} << 26;
// That a graph's weights of halves have once more, as float32: 256 MiB.
constexpr int64_t kMostWidened = int64_t{1} << 26;

std::string base_of(const Node& node) { return node.op.substr(0, node.op.find('.')); }

bool is_convolution(const std::string& op) {
  static const std::unordered_set<std::string> names = {
      "aten::conv1d",      "aten::conv2d",       "aten::conv3d",
      "aten::convolution", "aten::_convolution", "aten::_convolution_mode"};
  return names.contains(op);
}

bool is_transposed_convolution(const std::string& op) {
  return op == "aten::conv_transpose1d" || op == "aten::conv_transpose2d" ||
         op == "aten::conv_transpose3d";
}

bool is_recurrent(const std::string& op) {
  static const std::unordered_set<std::string> names = {
      "aten::lstm",      "aten::gru",      "aten::rnn_tanh",      "aten::rnn_relu",
      "aten::lstm_cell", "aten::gru_cell", "aten::rnn_tanh_cell", "aten::rnn_relu_cell"};
  return names.contains(op);
}

/// Where the two factors of a product are among its arguments; nullopt for other operators.
std::optional<std::pair<size_t, size_t>> factors_of(const std::string& op) {
  static const std::unordered_set<std::string> plain = {"aten::linear", "aten::mm", "aten::bmm",
                                                        "aten::matmul",
                                                        "aten::scaled_dot_product_attention"};
  if (plain.contains(op) || is_convolution(op) || is_transposed_convolution(op))
    return std::pair<size_t, size_t>(0, 1);
  if (op == "aten::addmm" || op == "aten::baddbmm") return std::pair<size_t, size_t>(1, 2);
  return std::nullopt;
}

class Retyper {
 public:
  Retyper(Graph* graph, const Target& target) : graph_(*graph), target_(target) {
    for (const Node& node : graph_.nodes) {
      for (const ValueId id : node.writes) written_.insert(graph_.value(id).storage);
    }
  }

  void run() {
    std::vector<Node> nodes;
    for (Node& node : graph_.nodes) {
      const DType from = type_of(node), to = type_for(node, from);
      if (to == from) {
        nodes.push_back(std::move(node));
        continue;
      }
      Rewriter before(&graph_, node), after(&graph_, node);
      for_each_input(node, [&](ValueId& id) {
        if (graph_.value(id).dtype == from) id = retyped(id, to, &before);
      });
      for (ValueId& out : node.outputs) {
        if (out == kNone) continue;
        const ValueId made = like(out, to, &after);
        after.cast(made, out);
        out = made;
      }
      move_to(&nodes, before.take());
      nodes.push_back(std::move(node));
      move_to(&nodes, after.take());
    }
    graph_.nodes = std::move(nodes);
  }

 private:
  static void move_to(std::vector<Node>* nodes, std::vector<Node> more) {
    std::move(more.begin(), more.end(), std::back_inserter(*nodes));
  }

  DType type_of(const Node& node) const {
    const bool has_one = !node.outputs.empty() && node.outputs[0] != kNone;
    return has_one ? graph_.value(node.outputs[0]).dtype : DType::kOther;
  }

  /// What a node whose results are of type `from` is to be computed in.
  DType type_for(const Node& node, DType from) {
    const std::string op = base_of(node);
    const auto factors = factors_of(op);
    const bool widens = target_.widens_halves && is_half(from);
    const bool is_product = factors || op == "aten::einsum" || (widens && is_recurrent(op));
    if (!is_product || !(widens || from == DType::kF32) || !has_plain_operands(node, op, from))
      return from;
    if (widens) {
      const bool stays =
          from == DType::kBF16 && factors && products_of(node, op, *factors) >= kFewestOfBFloat16;
      return stays || !fits(node) ? from : DType::kF32;
    }
    if (target_.products == DType::kF32 || has_score_mask(node, op)) return from;
    const bool narrows =
        target_.narrows_small_products || (factors && is_large(node, op, *factors));
    return narrows ? target_.products : from;
  }

  bool has_plain_operands(const Node& node, const std::string& op, DType type) const {
    if (!node.pure) return false;
    bool all = true;
    for (const ValueId out : node.outputs)
      all &= out == kNone || (is_plain(out, type) && is_dense(graph_.value(out)));
    for_each_input(node, [&](ValueId id) {
      const bool is_mask =
          op == "aten::scaled_dot_product_attention" && graph_.value(id).dtype == DType::kBool;
      all &= is_plain(id, type) || is_mask;
    });
    return all;
  }

  bool has_score_mask(const Node& node, const std::string& op) const {
    if (op != "aten::scaled_dot_product_attention") return false;
    const ValueId mask = tensor_arg(node, 3);
    return mask != kNone && graph_.value(mask).dtype != DType::kBool;
  }

  /// Counts the weights that the node needs in float32.
  bool fits(const Node& node) {
    int64_t more = 0;
    for_each_input(node, [&](ValueId id) {
      const ValueId constant = constant_of(id);
      if (constant != kNone && !retyped_.contains(constant))
        more += graph_.value(constant).elements();
    });
    if (widened_ + more > kMostWidened) return false;
    widened_ += more;
    return true;
  }

  bool is_large(const Node& node, const std::string& op, std::pair<size_t, size_t> factors) const {
    const int64_t products = products_of(node, op, factors);
    return products >= kFewestProducts &&
           products >= kFewestUses * graph_.value(tensor_arg(node, factors.second)).elements();
  }

  bool is_plain(ValueId id, DType type) const {
    const Value& v = graph_.value(id);
    return v.dtype == type && !v.opaque;
  }

  /// How many products of two numbers the node adds up; 0 for operands it doesn't know.
  int64_t products_of(const Node& node, const std::string& op,
                      std::pair<size_t, size_t> factors) const {
    const ValueId x = tensor_arg(node, factors.first), w = tensor_arg(node, factors.second);
    if (x == kNone || w == kNone || graph_.value(x).sizes.empty() || graph_.value(w).sizes.empty())
      return 0;
    const Value& a = graph_.value(x);
    const Value& b = graph_.value(w);
    const int64_t out = graph_.value(node.outputs[0]).elements();
    // Each output of a convolution takes all of a filter; each input of a transposed one gives one.
    if (is_transposed_convolution(op) ||
        (is_convolution(op) && op != "aten::_convolution_mode" && flag_arg(node, 6)))
      return b.elements() / std::max<int64_t>(b.sizes[0], 1) * a.elements();
    if (is_convolution(op)) return b.elements() / std::max<int64_t>(b.sizes[0], 1) * out;
    if (op == "aten::scaled_dot_product_attention")
      return 2 * out * (b.sizes.size() < 2 ? 1 : b.sizes[b.sizes.size() - 2]);
    return out * a.sizes.back();
  }

  /// Of another type, with the layout that a cast keeps.
  ValueId like(ValueId from, DType to, Rewriter* r) {
    const ValueId id = r->fresh(to, graph_.value(from).sizes);
    if (is_dense(graph_.value(from))) graph_.value(id).strides = graph_.value(from).strides;
    return id;
  }

  ValueId retyped(ValueId id, DType to, Rewriter* r) {
    if (written_.contains(graph_.value(id).storage)) return r->cast(id, like(id, to, r));
    const auto known = retyped_.find(id);
    if (known != retyped_.end()) return known->second;
    const ValueId constant = constant_of(id);
    const ValueId out =
        constant == kNone ? r->cast(id, like(id, to, r)) : of_constant(id, constant, to, r);
    retyped_[id] = out;
    return out;
  }

  /// The whole constant that a value shows; kNone where it has to be cast in each call.
  ValueId constant_of(ValueId id) const {
    const Storage& storage = graph_.storage_of(id);
    if (storage.kind != Storage::Kind::kConstant) return kNone;
    const ValueId whole = graph_.constants[static_cast<size_t>(storage.index)];
    return is_plain(whole, graph_.value(id).dtype) && is_dense(graph_.value(whole)) ? whole : kNone;
  }

  ValueId of_constant(ValueId id, ValueId whole, DType to, Rewriter* r) {
    auto known = retyped_.find(whole);
    if (known == retyped_.end()) known = retyped_.emplace(whole, r->setup_cast(whole, to)).first;
    if (id == whole) return known->second;
    Value view = graph_.value(id);
    view.dtype = to;
    view.storage = graph_.value(known->second).storage;
    view.has_scalar = false;
    return graph_.add(std::move(view));
  }

  Graph& graph_;
  const Target& target_;
  std::set<StorageId> written_;
  std::map<ValueId, ValueId> retyped_;  // each type becomes one other
  int64_t widened_ = 0;
};

}  // namespace

void retype_products(Graph* graph, const Target& target) {
  if (target.products != DType::kF32 || target.widens_halves) Retyper(graph, target).run();
}

}  // namespace torchweld
