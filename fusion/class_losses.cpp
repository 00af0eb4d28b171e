#include "fusion/class_losses.h"

#include <set>
#include <string>

#include "fusion/node_args.h"
#include "fusion/terms.h"

namespace torchweld {
namespace {

using Nodes = std::optional<std::vector<Node>>;

enum Reduced : int64_t { kElements = 0, kMean = 1, kSum = 2 };

bool is_margin(const Node& node) { return node.op == "aten::multi_margin_loss"; }
bool is_cross_entropy(const Node& node) { return node.op == "aten::cross_entropy_loss"; }

/// The dim of the classes.
size_t class_dim(const Value& x) { return x.sizes.size() == 1 ? 0 : 1; }

ValueId weight_arg(const Node& node) { return tensor_arg(node, is_margin(node) ? 4 : 2); }

/// One loss under way. Everything keeps the dim of the classes, of size 1 where they are summed.
class ClassLoss {
 public:
  ClassLoss(Graph* graph, const Node& node)
      : graph_(*graph), node_(node), t_(graph, node), x_(t_.read(tensor_arg(node, 0))) {
    dim_ = class_dim(t_.value(x_));
    classes_ = t_.value(x_).sizes[dim_];
    if (is_cross_entropy(node)) {
      top_ = t_.reduced("aten::amax", x_, dims());
      shifted_ = x_ - top_;
      log_total_ = t_.unary("aten::log", t_.sum(exp(shifted_), dims()));
    }
  }

  std::vector<Node> of_named_classes() {
    const Term target = named();
    const Term ignored = t_.equals(target, int_arg(node_, 4).value_or(-100));
    const Term place = t_.masked_fill(target, ignored, {int64_t{0}});
    Term loss = t_.gather(x_, dim_, place);
    if (is_cross_entropy(node_)) loss = loss - top_ - log_total_;
    loss = -loss;
    Term weight = x_;
    if (has_weight()) {
      weight = t_.gather(weights(true), dim_, place);
      loss = loss * weight;
    }
    if (smoothing() > 0) loss = loss * (1 - smoothing()) + spread() * share();
    loss = t_.masked_fill(loss, ignored, {0.0});
    if (reduction() == kElements) return finish(loss);
    const Term total = t_.sum(loss, all_dims());
    if (reduction() == kSum) return finish(total);
    const Term counted = has_weight() ? t_.masked_fill(weight, ignored, {0.0})
                                      : t_.cast(t_.logical_not(ignored), loss);
    return finish(total / t_.sum(counted, all_dims()));
  }

  /// What each other class is above the named one less a margin; NaN counts as below.
  std::vector<Node> of_margins() {
    const Term place = named();
    const Term above = number_arg(node_, 3).value_or(1) - t_.gather(x_, dim_, place) + x_;
    Term loss = number_arg(node_, 2).value_or(1) == 2 ? above * above : above;
    if (has_weight()) loss = loss * t_.gather(weights(true), dim_, place);
    loss = t_.where(t_.compared("aten::gt.Scalar", above, 0), loss, 0);
    Value classes = t_.value(t_.places(classes_));
    classes.sizes.insert(classes.sizes.begin(), dim_, 1);
    classes.strides.insert(classes.strides.begin(), dim_, 0);
    loss = t_.masked_fill(loss, t_.equals(t_.view(std::move(classes)), place), {0.0});
    return reduced(t_.sum(loss, dims()) / static_cast<double>(classes_));
  }

  std::vector<Node> of_probabilities() {
    Term target = t_.read(tensor_arg(node_, 1));
    if (smoothing() > 0) target = target * (1 - smoothing()) + share();
    Term product = (shifted_ - log_total_) * target;
    if (has_weight()) product = product * weights(false);
    return reduced(-t_.sum(product, dims()));
  }

 private:
  int64_t reduction() const { return int_arg(node_, is_margin(node_) ? 5 : 3).value_or(kMean); }
  double smoothing() const {
    return is_cross_entropy(node_) ? number_arg(node_, 5).value_or(0) : 0;
  }
  /// What smoothing gives to each class.
  double share() const { return smoothing() / static_cast<double>(classes_); }
  bool has_weight() const { return weight_arg(node_) != kNone; }
  Arg::Ints dims() const { return {static_cast<int64_t>(dim_)}; }

  Arg::Ints all_dims() const {
    Arg::Ints all;
    for (size_t d = 0; d < t_.value(x_).sizes.size(); ++d) all.push_back(static_cast<int64_t>(d));
    return all;
  }

  /// The targets, with a dim of size 1 for the classes.
  Term named() {
    Value v = graph_.value(tensor_arg(node_, 1));
    if (t_.value(x_).sizes.size() == 1) {
      v.sizes = v.strides = {1};
      v.has_scalar = false;
      return t_.view(std::move(v));
    }
    v.sizes.insert(v.sizes.begin() + 1, 1);
    v.strides.insert(v.strides.begin() + 1, 0);
    return t_.view(std::move(v));
  }

  /// The weights over the input's dims, of size 1 but for the classes, or repeated over all.
  Term weights(bool repeated) {
    Value v = graph_.value(weight_arg(node_));
    const int64_t stride = v.strides[0];
    v.sizes = t_.value(x_).sizes;
    if (!repeated) v.sizes.assign(v.sizes.size(), 1);
    v.sizes[dim_] = classes_;
    v.strides.assign(v.sizes.size(), 0);
    v.strides[dim_] = stride;
    return t_.view(std::move(v));
  }

  /// The loss of all classes together, each by its weight.
  Term spread() {
    const Term log_softmax = shifted_ - log_total_;
    return -t_.sum(has_weight() ? log_softmax * weights(false) : log_softmax, dims());
  }

  /// Samples that all count the same.
  std::vector<Node> reduced(Term loss) {
    if (reduction() == kElements) return finish(loss);
    const Term total = t_.sum(loss, all_dims());
    if (reduction() == kSum) return finish(total);
    return finish(total / static_cast<double>(t_.value(loss).elements()));
  }

  std::vector<Node> finish(Term last) { return t_.finish(last, node_.outputs[0]); }

  Graph& graph_;
  const Node& node_;
  Terms t_;
  Term x_, top_, shifted_, log_total_;
  size_t dim_ = 0;
  int64_t classes_ = 0;
};

bool names_classes(const Value& x, const Value& target) {
  if (target.opaque || target.dtype != DType::kI64) return false;
  if (x.sizes.size() == 1) return target.elements() == 1;
  std::vector<int64_t> sizes = x.sizes;
  sizes.erase(sizes.begin() + 1);
  return target.sizes == sizes;
}

bool is_plain(const Graph& graph, const Node& node) {
  constexpr size_t kMostDims = 7;  // that a read by index takes
  if (!node.pure || node.outputs.size() != 1 || node.outputs[0] == kNone) return false;
  const ValueId input = tensor_arg(node, 0), target = tensor_arg(node, 1);
  if (input == kNone || target == kNone) return false;
  const Value &x = graph.value(input), &out = graph.value(node.outputs[0]);
  if (x.opaque || out.opaque || x.dtype != out.dtype || x.elements() == 0 || x.sizes.empty() ||
      x.sizes.size() > kMostDims || (x.dtype != DType::kF32 && x.dtype != DType::kF64))
    return false;
  const ValueId weight = weight_arg(node);
  if (weight == kNone) return true;
  const Value& w = graph.value(weight);
  return !w.opaque && w.dtype == x.dtype && w.sizes == std::vector<int64_t>{x.sizes[class_dim(x)]};
}

/// Rows of 16 to 64 classes side by side, where a row costs more than its elements; measured with
/// AVX-512 on one thread: 0.6 to 0.9 of this kernel's time.
bool is_faster_by_library(const Value& x) {
  constexpr int64_t kManyRows = 256;
  const size_t dim = class_dim(x);
  const int64_t classes = x.sizes[dim];
  return x.strides[dim] == 1 && classes >= 16 && classes < 64 && x.elements() / classes > kManyRows;
}

}  // namespace

Nodes class_loss_nodes(Graph* graph, const Node& node, const Target& on) {
  static const std::set<std::string> names = {"aten::cross_entropy_loss", "aten::nll_loss_nd",
                                              "aten::nll_loss", "aten::nll_loss2d",
                                              "aten::multi_margin_loss"};
  if (!names.contains(node.op) || !is_plain(*graph, node)) return std::nullopt;
  const Value& x = graph->value(tensor_arg(node, 0));
  const Value& target = graph->value(tensor_arg(node, 1));
  if (is_cross_entropy(node) && !on.rows && is_faster_by_library(x)) return std::nullopt;
  if (is_margin(node)) {
    if (on.rows || !names_classes(x, target)) return std::nullopt;
    return ClassLoss(graph, node).of_margins();
  }
  if (names_classes(x, target)) return ClassLoss(graph, node).of_named_classes();
  const bool probabilities = is_cross_entropy(node) && !target.opaque && target.dtype == x.dtype &&
                             target.sizes == x.sizes;
  if (!probabilities) return std::nullopt;
  return ClassLoss(graph, node).of_probabilities();
}

}  // namespace torchweld
