#include "fusion/einsum.h"

#include <algorithm>
#include <map>
#include <string>

#include "fusion/batched_product.h"
#include "fusion/matmul.h"
#include "fusion/rewriter.h"

namespace torchweld {
namespace {

/// "bij,bjk->bik", its labels by operand.
struct Equation {
  std::string left, right, out;
};

bool has(const std::string& labels, char c) { return labels.find(c) != std::string::npos; }

bool is_plain(const std::string& labels, size_t rank) {
  std::string sorted = labels;
  std::sort(sorted.begin(), sorted.end());
  return labels.size() == rank &&
         std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end() &&
         std::all_of(labels.begin(), labels.end(), [](char c) { return std::isalpha(c) != 0; });
}

/// Labels that stand in one operand alone, in ATen's order: capitals first.
std::string implied(const Equation& e) {
  std::string out;
  for (const char c : e.left + e.right) {
    if (has(e.left, c) != has(e.right, c)) out += c;
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::optional<Equation> equation_of(const Graph& graph, const Node& node) {
  if (node.op != "aten::einsum" || node.outputs.size() != 1 || node.args.size() < 2)
    return std::nullopt;
  const auto* text = std::get_if<std::string>(&node.args[0].value);
  const auto* list = node.args[1].tensor_list();
  if (text == nullptr || list == nullptr || list->ids.size() != 2) return std::nullopt;
  std::string dense = *text;
  std::erase(dense, ' ');
  const size_t arrow = dense.find("->"), comma = dense.find(',');
  if (comma == std::string::npos) return std::nullopt;
  Equation e{dense.substr(0, comma), dense.substr(comma + 1, arrow - comma - 1), ""};
  e.out = arrow == std::string::npos ? implied(e) : dense.substr(arrow + 2);
  const auto rank = [&](ValueId id) { return graph.value(id).sizes.size(); };
  const bool plain = is_plain(e.left, rank(list->ids[0])) &&
                     is_plain(e.right, rank(list->ids[1])) &&
                     is_plain(e.out, rank(node.outputs[0]));
  return plain ? std::optional(e) : std::nullopt;
}

/// A tensor whose dims have labels.
struct Labelled {
  ValueId id = kNone;
  std::string labels;
};

/// The dims of these labels as one; nullopt where no stride walks them.
struct Run {
  int64_t size = 1, stride = 1;
};
std::optional<Run> run_of(const Value& v, const Labelled& t, const std::string& labels) {
  Run run;
  for (size_t i = labels.size(); i-- > 0;) {
    const size_t d = t.labels.find(labels[i]);
    if (v.sizes[d] == 1) continue;
    if (run.size != 1 && v.strides[d] != run.stride * run.size) return std::nullopt;
    if (run.size == 1) run.stride = v.strides[d];
    run.size *= v.sizes[d];
  }
  return run;
}

/// A stack of matrices: dims of the batch one by one, those of rows and of columns as one each.
std::optional<ValueId> matrices(Graph* graph, const Labelled& t, const std::string& batch,
                                const std::string& rows, const std::string& columns) {
  Value v = graph->value(t.id);
  const auto r = run_of(v, t, rows), c = run_of(v, t, columns);
  if (!r || !c) return std::nullopt;
  std::vector<int64_t> sizes, strides;
  for (const char label : batch) {
    sizes.push_back(v.sizes[t.labels.find(label)]);
    strides.push_back(v.strides[t.labels.find(label)]);
  }
  sizes.insert(sizes.end(), {r->size, c->size});
  strides.insert(strides.end(), {r->stride, c->stride});
  v.sizes = std::move(sizes);
  v.strides = std::move(strides);
  v.has_scalar = false;
  return graph->add(std::move(v));
}

/// The tensor with its dims in this order; dims that it lacks are of size 1.
ValueId permuted(Graph* graph, const Labelled& t, const std::string& order) {
  Value v = graph->value(t.id);
  const Value from = v;
  v.sizes.assign(order.size(), 1);
  v.strides.assign(order.size(), 0);
  for (size_t i = 0; i < order.size(); ++i) {
    const size_t d = t.labels.find(order[i]);
    if (d == std::string::npos) continue;
    v.sizes[i] = from.sizes[d];
    v.strides[i] = from.strides[d];
  }
  v.has_scalar = false;
  return graph->add(std::move(v));
}

/// One product, the left operand's free labels as rows.
class Product {
 public:
  Product(Graph* graph, const Node& node, bool by_library, Labelled left, Labelled right,
          Labelled out)
      : graph_(*graph),
        by_library_(by_library),
        node_(node),
        left_(std::move(left)),
        right_(std::move(right)),
        out_(std::move(out)) {
    for (const char c : out_.labels) {
      const bool in_left = has(left_.labels, c), in_right = has(right_.labels, c);
      (in_left && in_right ? batch_ : in_left ? rows_ : columns_) += c;
    }
    for (const char c : left_.labels) {
      if (has(right_.labels, c) && !has(out_.labels, c)) summed_ += c;
    }
  }

  /// With these operands copied into the order of their matrices first.
  std::optional<std::vector<Node>> with_copies(bool of_left, bool of_right) {
    Rewriter r(&graph_, node_);
    const Labelled left = of_left ? copied(&r, left_, batch_ + rows_ + summed_) : left_;
    const Labelled right = of_right ? copied(&r, right_, batch_ + summed_ + columns_) : right_;
    const auto x = matrices(&graph_, left, batch_, rows_, summed_),
               w = matrices(&graph_, right, batch_, summed_, columns_),
               y = matrices(&graph_, out_, batch_, rows_, columns_);
    if (!x || !w || !y) return std::nullopt;
    r.call("aten::matmul", {tensor(*x), tensor(*w)}, *y);
    std::vector<Node> nodes = r.take();
    if (!is_taken(nodes.back())) return std::nullopt;
    return nodes;
  }

 private:
  bool is_taken(const Node& product) const {
    Matmul matmul;
    BatchedProductCall batched;
    std::string why;
    return by_library_ ? make_matmul(graph_, product, &matmul, &why)
                       : make_batched_product(graph_, product, &batched);
  }

  /// Of a constant once, while the plan is made.
  Labelled copied(Rewriter* r, const Labelled& t, const std::string& order) {
    if (const ValueId constant = r->setup_view(t.id); constant != kNone) {
      Arg::Ints dims;
      std::vector<int64_t> sizes;
      for (const char label : order) {
        const size_t d = t.labels.find(label);
        dims.push_back(static_cast<int64_t>(d));
        sizes.push_back(graph_.value(t.id).sizes[d]);
      }
      return {r->setup("aten::permute_copy", {tensor(constant), {std::move(dims)}},
                       graph_.value(t.id).dtype, std::move(sizes)),
              order};
    }
    const ValueId view = permuted(&graph_, t, order);
    const Value v = graph_.value(view);
    return {r->call("aten::clone", {tensor(view), {int64_t{0}}}, r->fresh(v.dtype, v.sizes)),
            order};
  }

  Graph& graph_;
  bool by_library_;
  const Node& node_;
  Labelled left_, right_, out_;
  std::string batch_, rows_, columns_, summed_;
};

/// Sizes agree without broadcasting, and no label is summed within one operand.
bool is_product(const Graph& graph, const Labelled& a, const Labelled& b, const Labelled& out) {
  std::map<char, int64_t> sizes;
  for (const Labelled* t : {&a, &b, &out}) {
    const Value& v = graph.value(t->id);
    if (v.opaque || v.dtype != graph.value(out.id).dtype || v.elements() == 0) return false;
    for (size_t d = 0; d < t->labels.size(); ++d) {
      if (sizes.try_emplace(t->labels[d], v.sizes[d]).first->second != v.sizes[d]) return false;
    }
  }
  const auto is_used = [&](const Labelled& t, const Labelled& other) {
    return std::all_of(t.labels.begin(), t.labels.end(),
                       [&](char c) { return has(other.labels, c) || has(out.labels, c); });
  };
  return is_used(a, b) && is_used(b, a);
}

bool sums_nothing(const Labelled& a, const Labelled& b, const Labelled& out) {
  const std::string all = a.labels + b.labels;
  return std::all_of(all.begin(), all.end(), [&](char c) { return has(out.labels, c); });
}

}  // namespace

std::optional<std::vector<Node>> einsum_nodes(Graph* graph, const Node& node, bool by_library) {
  const auto e = equation_of(*graph, node);
  if (!e || !node.pure || graph->storage_of(node.outputs[0]).kind != Storage::Kind::kLocal)
    return std::nullopt;
  const auto& ids = node.args[1].tensor_list()->ids;
  const Labelled a{ids[0], e->left}, b{ids[1], e->right}, out{node.outputs[0], e->out};
  if (!is_product(*graph, a, b, out)) return std::nullopt;
  if (sums_nothing(a, b, out)) {
    Rewriter r(graph, node);
    const ValueId x = permuted(graph, a, e->out), y = permuted(graph, b, e->out);
    r.call("aten::mul.Tensor", {tensor(x), tensor(y)}, out.id);
    return r.take();
  }
  for (const bool copies_a : {false, true}) {
    for (const bool copies_b : {false, true}) {
      // The library writes rows; which operand's labels those are, the result's strides say.
      if (auto nodes = Product(graph, node, by_library, a, b, out).with_copies(copies_a, copies_b))
        return nodes;
      if (auto nodes = Product(graph, node, by_library, b, a, out).with_copies(copies_b, copies_a))
        return nodes;
    }
  }
  return std::nullopt;
}

}  // namespace torchweld
