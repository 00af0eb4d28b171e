#include "fusion/narrow_products.h"

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

class Narrower {
 public:
  Narrower(Graph* graph, const Target& target) : graph_(*graph), target_(target) {
    for (const Node& node : graph_.nodes) {
      for (const ValueId id : node.writes) written_.insert(graph_.value(id).storage);
    }
  }

  void run() {
    std::vector<Node> nodes;
    for (Node& node : graph_.nodes) {
      if (!narrows(node)) {
        nodes.push_back(std::move(node));
        continue;
      }
      Rewriter r(&graph_, node);
      for_each_input(node, [&](ValueId& id) {
        if (graph_.value(id).dtype == DType::kF32) id = narrowed(id, &r);
      });
      const ValueId out = node.outputs[0];
      node.outputs[0] = like(out, &r);
      std::vector<Node> casts = r.take();
      std::move(casts.begin(), casts.end(), std::back_inserter(nodes));
      r.cast(node.outputs[0], out);
      nodes.push_back(std::move(node));
      nodes.push_back(std::move(r.take()[0]));
    }
    graph_.nodes = std::move(nodes);
  }

 private:
  bool narrows(const Node& node) const {
    const std::string op = base_of(node);
    const auto factors = factors_of(op);
    if (!node.pure || node.outputs.size() != 1 || !(factors || op == "aten::einsum")) return false;
    const ValueId out = node.outputs[0];
    if (out == kNone || !is_plain(out) || !is_dense(graph_.value(out))) return false;
    bool all = true;
    for_each_input(node, [&](ValueId id) {
      const bool is_mask =
          op == "aten::scaled_dot_product_attention" && graph_.value(id).dtype == DType::kBool;
      all &= is_plain(id) || is_mask;
    });
    if (op == "aten::scaled_dot_product_attention") {
      const ValueId mask = tensor_arg(node, 3);
      all &= mask == kNone || graph_.value(mask).dtype == DType::kBool;
    }
    return all && (target_.narrows_small_products || (factors && is_large(node, op, *factors)));
  }

  bool is_large(const Node& node, const std::string& op, std::pair<size_t, size_t> factors) const {
    const int64_t products = products_of(node, op, factors);
    return products >= kFewestProducts &&
           products >= kFewestUses * graph_.value(tensor_arg(node, factors.second)).elements();
  }

  bool is_plain(ValueId id) const {
    const Value& v = graph_.value(id);
    return v.dtype == DType::kF32 && !v.opaque;
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

  /// Of the narrow type, with the layout that a cast keeps.
  ValueId like(ValueId wide, Rewriter* r) {
    const ValueId id = r->fresh(target_.products, graph_.value(wide).sizes);
    if (is_dense(graph_.value(wide))) graph_.value(id).strides = graph_.value(wide).strides;
    return id;
  }

  ValueId narrowed(ValueId id, Rewriter* r) {
    if (written_.contains(graph_.value(id).storage)) return r->cast(id, like(id, r));
    const auto known = narrow_.find(id);
    if (known != narrow_.end()) return known->second;
    const ValueId constant = constant_of(id);
    const ValueId out = constant == kNone ? r->cast(id, like(id, r)) : of_constant(id, constant, r);
    narrow_[id] = out;
    return out;
  }

  /// The whole constant that a value shows; kNone where it has to be cast in each call.
  ValueId constant_of(ValueId id) const {
    const Storage& storage = graph_.storage_of(id);
    if (storage.kind != Storage::Kind::kConstant) return kNone;
    const ValueId whole = graph_.constants[static_cast<size_t>(storage.index)];
    return is_plain(whole) && is_dense(graph_.value(whole)) ? whole : kNone;
  }

  ValueId of_constant(ValueId id, ValueId whole, Rewriter* r) {
    auto known = narrow_.find(whole);
    if (known == narrow_.end())
      known = narrow_.emplace(whole, r->setup_cast(whole, target_.products)).first;
    if (id == whole) return known->second;
    Value view = graph_.value(id);
    view.dtype = target_.products;
    view.storage = graph_.value(known->second).storage;
    view.has_scalar = false;
    return graph_.add(std::move(view));
  }

  Graph& graph_;
  const Target& target_;
  std::set<StorageId> written_;
  std::map<ValueId, ValueId> narrow_;
};

}  // namespace

void narrow_products(Graph* graph, const Target& target) {
  if (target.products != DType::kF32) Narrower(graph, target).run();
}

}  // namespace torchweld
