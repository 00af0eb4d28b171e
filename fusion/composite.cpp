#include "fusion/composite.h"

#include <cmath>
#include <string>
#include <unordered_map>

#include "fusion/node_args.h"
#include "fusion/terms.h"

namespace torchweld {
namespace {

using Nodes = std::optional<std::vector<Node>>;

/// One node being rewritten: its tensors by argument, its formula under way.
class Composite {
 public:
  Composite(Graph* graph, const Node& node) : graph_(*graph), node_(node), terms_(graph, node) {}

  const Node& node() const { return node_; }
  Terms& terms() { return terms_; }
  bool has(size_t i) const { return tensor_arg(node_, i) != kNone; }
  Term operator[](size_t i) { return terms_.read(tensor_arg(node_, i)); }
  const std::vector<int64_t>& sizes(size_t i) const {
    return graph_.value(tensor_arg(node_, i)).sizes;
  }
  double number(size_t i, double missing) const { return number_arg(node_, i).value_or(missing); }

  Arg::Ints last_dim(Term a) { return {static_cast<int64_t>(terms_.value(a).sizes.size()) - 1}; }
  Arg::Ints dim(size_t i, Term a) {
    const size_t rank = terms_.value(a).sizes.size();
    return {static_cast<int64_t>(whole_dim(int_arg(node_, i).value_or(-1), rank))};
  }

  Nodes finish(Term last) { return terms_.finish(last, node_.outputs[0]); }

  /// As argument i says: the elements (0), their mean (1) or their sum (2).
  Nodes finish_loss(Term loss, size_t i) {
    const int64_t reduction = int_arg(node_, i).value_or(1);
    if (reduction == 0) return finish(loss);
    Arg::Ints all;
    for (size_t d = 0; d < terms_.value(loss).sizes.size(); ++d)
      all.push_back(static_cast<int64_t>(d));
    if (all.empty()) return finish(loss);
    const auto count = static_cast<double>(terms_.value(loss).elements());
    const Term total = terms_.sum(loss, all);
    return finish(reduction == 1 ? total / count : total);
  }

 private:
  Graph& graph_;
  const Node& node_;
  Terms terms_;
};

Nodes mse_loss(Composite& c) {
  const Term difference = c[0] - c[1];
  return c.finish_loss(difference * difference, 2);
}

Nodes l1_loss(Composite& c) { return c.finish_loss(abs(c[0] - c[1]), 2); }

Nodes smooth_l1_loss(Composite& c) {
  const double beta = c.number(3, 1);
  const Term z = abs(c[0] - c[1]);
  if (beta == 0) return c.finish_loss(z, 2);
  const Term inner = z * 0.5 * z / beta, outer = z - 0.5 * beta;
  return c.finish_loss(
      c.terms().where(c.terms().compared("aten::lt.Scalar", z, beta), inner, outer), 2);
}

Nodes huber_loss(Composite& c) {
  const double delta = c.number(3, 1);
  const Term z = abs(c[0] - c[1]);
  const Term inner = z * 0.5 * z, outer = (z - 0.5 * delta) * delta;
  return c.finish_loss(
      c.terms().where(c.terms().compared("aten::lt.Scalar", z, delta), inner, outer), 2);
}

Nodes cross_entropy_of_logits(Composite& c) {
  if (c.sizes(0) != c.sizes(1)) return std::nullopt;  // ATen writes in place, so this has limits
  const Term x = c[0], target = c[1];
  Term log_sigmoid = c.terms().unary("aten::log_sigmoid", x);
  if (c.has(3)) log_sigmoid = log_sigmoid * ((c[3] - 1) * target + 1);
  Term loss = (1 - target) * x - log_sigmoid;
  if (c.has(2)) loss = loss * c[2];
  if (c.terms().value(loss).sizes != c.sizes(0)) return std::nullopt;
  return c.finish_loss(loss, 4);
}

Nodes kl_div(Composite& c) {
  const Term x = c[0], target = c[1];
  if (flag_arg(c.node(), 3)) return c.finish_loss(exp(target) * (target - x), 2);
  return c.finish_loss(c.terms().binary("aten::xlogy.Tensor", target, target) - target * x, 2);
}

Nodes poisson_nll_loss(Composite& c) {
  constexpr double kTwoPi = 6.283185307179586;
  Terms& t = c.terms();
  const Term x = c[0], target = c[1];
  Term loss = flag_arg(c.node(), 2) ? exp(x) - target * x : x - target * log(x + c.number(4, 1e-8));
  if (flag_arg(c.node(), 3)) {
    const Term stirling = target * log(target) - target + log(target * kTwoPi) * 0.5;
    loss = loss + t.masked_fill(stirling, t.compared("aten::le.Scalar", target, 1), {0.0});
  }
  return c.finish_loss(loss, 5);
}

Nodes soft_margin_loss(Composite& c) {
  return c.finish_loss(c.terms().unary("aten::log1p", exp(-c[0] * c[1])), 2);
}

Nodes hinge_embedding_loss(Composite& c) {
  const Term x = c[0], target = c[1];
  const Term far = c.terms().where(c.terms().compared("aten::ne.Scalar", target, 1),
                                   clamp_min(c.number(2, 1) - x, 0), 0);
  return c.finish_loss(
      far + c.terms().where(c.terms().compared("aten::ne.Scalar", target, -1), x, 0), 3);
}

Nodes margin_ranking_loss(Composite& c) {
  return c.finish_loss(clamp_min(-c[2] * (c[0] - c[1]) + c.number(3, 0), 0), 4);
}

Nodes cosine_embedding_loss(Composite& c) {
  constexpr double kEpsilon = 1e-12;
  Terms& t = c.terms();
  const Term a = c[0], b = c[1], target = c[2];
  if (c.sizes(0) != c.sizes(1) || c.sizes(0).size() != c.sizes(2).size() + 1 ||
      c.sizes(2).empty() || c.sizes(2)[0] != c.sizes(0)[0])
    return std::nullopt;
  const Arg::Ints rows = c.last_dim(a);
  const Term product = t.sum(a * b, rows);
  const Term sizes = sqrt((t.sum(a * a, rows) + kEpsilon) * (t.sum(b * b, rows) + kEpsilon));
  const Term cosine = product / sizes;
  Value column = t.value(target);
  column.sizes.push_back(1);
  column.strides.push_back(1);
  const Term label = t.view(column);
  const Term near = t.where(t.compared("aten::eq.Scalar", label, 1), 1 - cosine, 0);
  const Term far =
      t.where(t.compared("aten::eq.Scalar", label, -1), clamp_min(cosine - c.number(3, 0), 0), 0);
  return c.finish_loss(near + far, 4);
}

/// The norm of the rows of the last dim, which stays; nullopt for a p that has no kernel.
std::optional<Term> norm(Composite& c, Term x, double p) {
  Terms& t = c.terms();
  const Arg::Ints rows = c.last_dim(x);
  if (p == 2) return sqrt(t.sum(x * x, rows));
  if (p == 1) return t.sum(abs(x), rows);
  if (std::isinf(p)) return t.reduced(p > 0 ? "aten::amax" : "aten::amin", abs(x), rows);
  return std::nullopt;
}

std::optional<Term> distance(Composite& c, Term a, Term b, double p, double eps) {
  return norm(c, a - b + eps, p);
}

Nodes pairwise_distance(Composite& c) {
  if (c.sizes(0).empty() && c.sizes(1).empty()) return std::nullopt;
  const auto d = distance(c, c[0], c[1], c.number(2, 2), c.number(3, 1e-6));
  return d ? c.finish(*d) : std::nullopt;
}

Nodes triplet_margin_loss(Composite& c) {
  const size_t rank = c.sizes(0).size();
  if (rank == 0 || c.sizes(1).size() != rank || c.sizes(2).size() != rank) return std::nullopt;
  const double p = c.number(4, 2), eps = c.number(5, 1e-6);
  const Term anchor = c[0], positive = c[1], negative = c[2];
  const auto near = distance(c, anchor, positive, p, eps);
  if (!near) return std::nullopt;
  Term far = *distance(c, anchor, negative, p, eps);
  if (flag_arg(c.node(), 6))
    far = c.terms().binary("aten::minimum", far, *distance(c, positive, negative, p, eps));
  return c.finish_loss(clamp_min(*near + c.number(3, 1) - far, 0), 7);
}

Nodes cosine_similarity(Composite& c) {
  Terms& t = c.terms();
  const Term a = c[0], b = c[1];
  if (c.sizes(0).size() != c.sizes(1).size() || c.sizes(0).empty()) return std::nullopt;
  const Arg::Ints rows = c.dim(2, a);
  const auto d = static_cast<size_t>(rows[0]);
  if (c.sizes(0)[d] != c.sizes(1)[d]) return std::nullopt;
  const double eps = c.number(3, 1e-8);
  const Term left = a / clamp_min(sqrt(t.sum(a * a, rows)), eps),
             right = b / clamp_min(sqrt(t.sum(b * b, rows)), eps);
  return c.finish(t.sum(left * right, rows));
}

Nodes dist(Composite& c) {
  const double p = c.number(2, 2);
  const Term difference = c[0] - c[1];
  if (c.terms().value(difference).sizes.size() != 1) return std::nullopt;
  const auto length = norm(c, difference, p);
  return length ? c.finish(*length) : std::nullopt;
}

/// A tensor's elements from `first` on, `count` of them along one dim.
Value slice(const Value& v, size_t dim, int64_t first, int64_t count) {
  Value out = v;
  out.offset += first * v.strides[dim];
  out.sizes[dim] = count;
  return out;
}

Nodes diff(Composite& c) {
  Terms& t = c.terms();
  if (c.has(3) || c.has(4) || int_arg(c.node(), 1) != 1 || c.sizes(0).empty()) return std::nullopt;
  const Term x = c[0];
  const Value v = t.value(x);
  const auto d = static_cast<size_t>(c.dim(2, x)[0]);
  if (v.sizes[d] < 2) return std::nullopt;
  return c.finish(t.view(slice(v, d, 1, v.sizes[d] - 1)) - t.view(slice(v, d, 0, v.sizes[d] - 1)));
}

Nodes trapezoid(Composite& c) {
  Terms& t = c.terms();
  if (c.sizes(0).empty()) return std::nullopt;
  const Term x = c[0];
  const Value v = t.value(x);
  const Arg::Ints rows = c.dim(2, x);
  const auto d = static_cast<size_t>(rows[0]);
  const Term ends = t.view(slice(v, d, 0, 1)) + t.view(slice(v, d, v.sizes[d] - 1, 1));
  return c.finish((t.sum(x, rows) - ends * 0.5) * c.number(1, 1));
}

using Rewrite = Nodes (*)(Composite&);

Rewrite find(const std::string& op) {
  static const std::unordered_map<std::string, Rewrite> all = {
      {"aten::mse_loss", mse_loss},
      {"aten::l1_loss", l1_loss},
      {"aten::smooth_l1_loss", smooth_l1_loss},
      {"aten::huber_loss", huber_loss},
      {"aten::binary_cross_entropy_with_logits", cross_entropy_of_logits},
      {"aten::kl_div", kl_div},
      {"aten::poisson_nll_loss", poisson_nll_loss},
      {"aten::soft_margin_loss", soft_margin_loss},
      {"aten::hinge_embedding_loss", hinge_embedding_loss},
      {"aten::margin_ranking_loss", margin_ranking_loss},
      {"aten::cosine_embedding_loss", cosine_embedding_loss},
      {"aten::pairwise_distance", pairwise_distance},
      {"aten::triplet_margin_loss", triplet_margin_loss},
      {"aten::cosine_similarity", cosine_similarity},
      {"aten::dist", dist},
      {"aten::diff", diff},
      {"aten::trapz.dx", trapezoid},
      {"aten::trapezoid.dx", trapezoid},
  };
  const auto it = all.find(op);
  return it == all.end() ? nullptr : it->second;
}

/// Whether all tensors are of one type, with elements. Of halves and integers only a difference is
/// rounded, or wraps, once.
bool is_plain(const Graph& graph, const Node& node) {
  if (!node.pure || node.outputs.size() != 1 || node.outputs[0] == kNone) return false;
  const Value& out = graph.value(node.outputs[0]);
  const bool takes = node.op == "aten::diff"
                         ? out.dtype != DType::kBool && out.dtype != DType::kOther
                         : out.dtype == DType::kF32 || out.dtype == DType::kF64;
  bool plain = takes && !out.opaque && out.elements() > 0;
  for_each_input(node, [&](ValueId id) {
    const Value& v = graph.value(id);
    plain &= !v.opaque && v.dtype == out.dtype && v.elements() > 0;
  });
  return plain;
}

}  // namespace

std::optional<std::vector<Node>> composite_nodes(Graph* graph, const Node& node) {
  const Rewrite rewrite = find(node.op);
  if (rewrite == nullptr || !is_plain(*graph, node)) return std::nullopt;
  Composite composite(graph, node);
  return rewrite(composite);
}

}  // namespace torchweld
