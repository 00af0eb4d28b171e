#include "fusion/attention_pattern.h"

#include <cmath>
#include <limits>

#include "fusion/node_args.h"

namespace torchweld {
namespace {

std::string base_of(const std::string& op) { return op.substr(0, op.find('.')); }

bool is_mask_float(DType dtype) { return is_floating(dtype) && dtype != DType::kF64; }

/// Multiplies by a number: which operand, and by what.
std::optional<double> factor_of(const Graph& graph, const Node& node, ValueId* operand) {
  const std::string op = base_of(node.op);
  if (node.args.size() != 2 || (op != "aten::mul" && op != "aten::div")) return std::nullopt;
  *operand = tensor_arg(node, 0);
  auto by = scalar_arg(graph, node, 1);
  if (!by && op == "aten::mul") {
    *operand = tensor_arg(node, 1);
    by = scalar_arg(graph, node, 0);
  }
  if (!by || *operand == kNone || *by == 0 || !std::isfinite(*by)) return std::nullopt;
  return op == "aten::div" ? 1 / *by : *by;
}

/// softmax over the last dim; halves may be widened on the way.
bool is_row_softmax(const Graph& graph, const Node& node) {
  if (node.op != "aten::softmax.int" && node.op != "aten::_softmax") return false;
  const ValueId x = tensor_arg(node, 0);
  const auto* dim = node.args.size() < 2 ? nullptr : std::get_if<int64_t>(&node.args[1].value);
  if (x == kNone || dim == nullptr || node.outputs.size() != 1 || node.outputs[0] == kNone)
    return false;
  const auto rank = static_cast<int64_t>(graph.value(x).sizes.size());
  return rank >= 2 && (*dim == -1 || *dim == rank - 1);
}

/// Walks from the softmax to both products.
class Walk {
 public:
  Walk(const Graph& graph, const Uses& uses) : graph_(graph), uses_(uses) {}

  std::optional<AttentionParts> from(NodeId softmax, NodeId* product) {
    const Node& node = node_of(softmax);
    if (!is_row_softmax(graph_, node) || !weights(node.outputs[0], product) ||
        !scores(tensor_arg(node, 0)))
      return std::nullopt;
    parts_.empty_is_nan = true;
    return parts_;
  }

 private:
  const Node& node_of(NodeId n) const { return graph_.nodes[static_cast<size_t>(n)]; }

  /// From a result of softmax to the product with the values.
  bool weights(ValueId made, NodeId* product) {
    const NodeId reader = uses_.only_reader(made);
    if (reader == kNone) return false;
    const Node& node = node_of(reader);
    const ValueId read = tensor_arg(node, 0);
    if (node.outputs.size() != 1 || node.outputs[0] == kNone || read == kNone ||
        !shows_same_matrices(graph_.value(made), graph_.value(read)))
      return false;
    if (is_cast(node)) return weights(node.outputs[0], product);
    if (node.op != "aten::matmul" && node.op != "aten::bmm") return false;
    const Value& out = graph_.value(node.outputs[0]);
    const Value& p = graph_.value(read);
    const Value& v = graph_.value(tensor_arg(node, 1));
    if (p.sizes.size() < 2 || v.sizes.size() < 2 || out.elements() == 0 || p.elements() == 0 ||
        p.elements() / p.sizes.back() != out.elements() / out.sizes.back())
      return false;  // the product repeats the weights
    Sizes sizes = out.sizes;
    sizes[sizes.size() - 2] = p.sizes.back();
    const auto values = stack_of(v, sizes), result = stack_of(out, out.sizes);
    if (!values || !result) return false;
    parts_.v = *values;
    parts_.out = *result;
    *product = reader;
    return true;
  }

  /// From what softmax reads up to the product of q and k. `parts_.scale` is what follows `seen`.
  bool scores(ValueId seen) {
    const NodeId maker = uses_.maker(seen);
    if (maker == kNone || uses_.only_reader(seen) == kNone) return false;
    const Node& node = node_of(maker);
    if (!node.pure || node.outputs.size() != 1 || node.outputs[0] == kNone ||
        !shows_same_matrices(graph_.value(node.outputs[0]), graph_.value(seen)))
      return false;
    ValueId operand = kNone;
    if (const auto factor = factor_of(graph_, node, &operand)) {
      parts_.scale *= *factor;
      return is_whole(operand, node) && scores(operand);
    }
    if (is_cast(node)) return scores(tensor_arg(node, 0));
    const std::string op = base_of(node.op);
    if (op == "aten::add") return sum(node);
    if (op == "aten::masked_fill")
      return chosen(node, tensor_arg(node, 0), tensor_arg(node, 1), scalar_arg(graph_, node, 2),
                    false);
    if (op == "aten::where") return where(node);
    return first_product(node);
  }

  bool is_cast(const Node& node) const {
    const ValueId x = tensor_arg(node, 0);
    return base_of(node.op) == "aten::to" && x != kNone && node.outputs.size() == 1 &&
           is_mask_float(graph_.value(x).dtype) &&
           is_mask_float(graph_.value(node.outputs[0]).dtype) && is_whole(x, node);
  }

  /// Whether an operand isn't broadcast.
  bool is_whole(ValueId operand, const Node& node) const {
    return operand != kNone && graph_.value(operand).sizes == graph_.value(node.outputs[0]).sizes;
  }

  bool sum(const Node& node) {
    const auto alpha = scalar_arg(graph_, node, 2);
    if (parts_.scale != 1 || (alpha && *alpha != 1)) return false;
    for (const size_t i : {size_t{0}, size_t{1}}) {
      const ValueId chain = tensor_arg(node, i), mask = tensor_arg(node, 1 - i);
      if (chain == kNone || mask == kNone || !is_whole(chain, node) ||
          !is_mask_float(graph_.value(mask).dtype))
        continue;
      const AttentionParts before = parts_;
      parts_.added.push_back({mask, graph_.value(node.outputs[0]).sizes});
      if (scores(chain)) return true;
      parts_ = before;
    }
    return false;
  }

  bool where(const Node& node) {
    const ValueId mask = tensor_arg(node, 0);
    if (const auto other = scalar_arg(graph_, node, 2))
      return chosen(node, tensor_arg(node, 1), mask, other, true);
    return chosen(node, tensor_arg(node, 2), mask, scalar_arg(graph_, node, 1), false);
  }

  bool chosen(const Node& node, ValueId chain, ValueId mask, std::optional<double> score,
              bool keeps) {
    if (mask == kNone || !score || parts_.chosen || !is_whole(chain, node) ||
        graph_.value(mask).dtype != DType::kBool)
      return false;
    parts_.chosen = ScoreMask{mask, graph_.value(node.outputs[0]).sizes};
    parts_.chosen_keeps = keeps;
    parts_.masked_score = *score * parts_.scale;
    return scores(chain);
  }

  bool first_product(const Node& node) {
    const bool adds = node.op == "aten::baddbmm";
    if (!adds && node.op != "aten::matmul" && node.op != "aten::bmm") return false;
    const size_t first = adds ? 1 : 0;
    if (adds && !addend(node)) return false;
    if (tensor_arg(node, first) == kNone || tensor_arg(node, first + 1) == kNone) return false;
    const Value x = unscaled(tensor_arg(node, first)), w = unscaled(tensor_arg(node, first + 1));
    if (x.sizes.size() < 2 || w.sizes.size() < 2) return false;
    Sizes of_x = graph_.value(node.outputs[0]).sizes, of_w = of_x;
    of_x.back() = of_w[of_w.size() - 2] = x.sizes.back();
    const auto q = stack_of(x, of_x);
    auto k = stack_of(w, of_w);
    if (!q || !k) return false;
    k->transpose();
    parts_.q = *q;
    parts_.k = *k;
    return true;
  }

  bool addend(const Node& node) {
    const auto beta = scalar_arg(graph_, node, 3), alpha = scalar_arg(graph_, node, 4);
    const ValueId mask = tensor_arg(node, 0);
    if (!beta || !alpha || mask == kNone || *alpha == 0) return false;
    if (*beta != 0) {
      if (*beta != 1 || parts_.scale != 1 || !is_mask_float(graph_.value(mask).dtype)) return false;
      parts_.added.push_back({mask, graph_.value(node.outputs[0]).sizes});
    }
    parts_.scale *= *alpha;
    return true;
  }

  /// The operand of a product as it was before it was scaled.
  Value unscaled(ValueId seen) {
    Value shown = graph_.value(seen);
    const NodeId maker = uses_.maker(seen);
    if (maker == kNone || uses_.only_reader(seen) == kNone) return shown;
    const Node& node = node_of(maker);
    ValueId operand = kNone;
    const auto factor = node.pure ? factor_of(graph_, node, &operand) : std::nullopt;
    if (!factor) return shown;
    const Value& made = graph_.value(node.outputs[0]);
    const Value& from = graph_.value(operand);
    if (from.sizes != made.sizes || from.strides != made.strides || from.dtype != made.dtype)
      return shown;
    parts_.scale *= *factor;
    shown.storage = from.storage;
    shown.offset += from.offset - made.offset;
    return shown;
  }

  const Graph& graph_;
  const Uses& uses_;
  AttentionParts parts_;
};

/// Keys and values of fewer heads than the queries have, each repeated: [.., kv_heads, repeats,
/// ..].
std::optional<MatrixStack> repeated_heads(Value v, const Sizes& out, int64_t rows) {
  const size_t rank = v.sizes.size();
  if (rank < 3 || out.size() != rank || v.elements() == 0 || out[rank - 3] % v.sizes[rank - 3] != 0)
    return std::nullopt;
  Sizes sizes = out;
  sizes[rank - 3] = v.sizes[rank - 3];
  sizes[rank - 2] = rows;
  sizes.back() = v.sizes.back();
  const auto at = static_cast<std::ptrdiff_t>(rank) - 2;
  sizes.insert(sizes.begin() + at, out[rank - 3] / v.sizes[rank - 3]);
  v.sizes.insert(v.sizes.begin() + at, 1);
  v.strides.insert(v.strides.begin() + at, 0);
  return stack_of(v, sizes);
}

bool flag_at(const Node& node, size_t i) {
  const auto* b = i < node.args.size() ? std::get_if<bool>(&node.args[i].value) : nullptr;
  return b != nullptr && *b;
}

}  // namespace

std::optional<AttentionParts> written_out_parts(const Graph& graph, const Uses& uses,
                                                NodeId softmax, NodeId* product) {
  return Walk(graph, uses).from(softmax, product);
}

std::optional<AttentionParts> sdpa_parts(const Graph& graph, const Node& node) {
  // Its schema may draw random numbers, but without dropout it doesn't.
  if (node.op != "aten::scaled_dot_product_attention" || node.args.size() < 8 ||
      node.outputs.size() != 1 || node.outputs[0] == kNone || scalar_arg(graph, node, 4) != 0.0)
    return std::nullopt;
  const Value& q = graph.value(tensor_arg(node, 0));
  const Value& k = graph.value(tensor_arg(node, 1));
  const Value& out = graph.value(node.outputs[0]);
  if (q.sizes.size() < 2 || k.sizes.size() < 2 || out.elements() == 0) return std::nullopt;
  AttentionParts parts;
  const int64_t keys = k.sizes[k.sizes.size() - 2];
  const auto of_kv = [&](size_t i) {
    const Value& v = graph.value(tensor_arg(node, i));
    if (flag_at(node, 7)) return repeated_heads(v, out.sizes, keys);
    Sizes sizes = out.sizes;
    sizes[sizes.size() - 2] = keys;
    sizes.back() = v.sizes.back();
    return stack_of(v, sizes);
  };
  Sizes of_q = out.sizes, of_scores = out.sizes;
  of_q.back() = q.sizes.back();
  of_scores.back() = keys;
  const auto stacked_q = stack_of(q, of_q), stacked_k = of_kv(1), stacked_v = of_kv(2);
  if (!stacked_q || !stacked_k || !stacked_v) return std::nullopt;
  parts.q = *stacked_q;
  parts.k = *stacked_k;
  parts.v = *stacked_v;
  parts.out = *stack_of(out, out.sizes);
  parts.scale =
      scalar_arg(graph, node, 6).value_or(1 / std::sqrt(static_cast<double>(q.sizes.back())));
  parts.causal = flag_at(node, 5);
  if (const ValueId mask = tensor_arg(node, 3); mask != kNone) {
    if (graph.value(mask).dtype == DType::kBool) {
      parts.chosen = ScoreMask{mask, of_scores};
      parts.masked_score = -std::numeric_limits<double>::infinity();
    } else {
      parts.added.push_back({mask, of_scores});
    }
  }
  return parts;
}

}  // namespace torchweld
