#include "fusion/einsum.h"

#include <algorithm>
#include <map>
#include <string>

#include "fusion/batched_product.h"
#include "fusion/einsum_equation.h"
#include "fusion/matmul.h"
#include "fusion/rewriter.h"

namespace torchweld {
namespace {

bool has(const std::string& labels, char c) { return labels.find(c) != std::string::npos; }

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

bool sums_nothing(const Labelled& a, const Labelled& b, const Labelled& out) {
  const std::string all = a.labels + b.labels;
  return std::all_of(all.begin(), all.end(), [&](char c) { return has(out.labels, c); });
}

/// The operands one after the other, as LibTorch takes them: the product of the first two by the
/// third, and so on. A label that the rest doesn't ask for is summed as soon as it may be.
class Contraction {
 public:
  Contraction(Graph* graph, const Node& node, bool by_library)
      : graph_(*graph), node_(node), by_library_(by_library) {}

  std::optional<std::vector<Node>> nodes() {
    const auto e = equation_of(graph_, node_);
    if (!e || !read(*e)) return std::nullopt;
    const Labelled out{node_.outputs[0], e->result};
    if (operands_.size() == 1) {
      if (operands_[0].labels.size() == e->result.size()) return std::nullopt;  // a view
      sum(operands_[0], e->result, out.id);
      return std::move(nodes_);
    }
    Labelled left = operands_[0];
    for (size_t i = 1; i < operands_.size(); ++i) {
      std::string asked = e->result;
      for (size_t k = i + 1; k < operands_.size(); ++k) asked += operands_[k].labels;
      Labelled right = operands_[i];
      left = without_own_sums(left, right.labels + asked);
      right = without_own_sums(right, left.labels + asked);
      const auto product = times(left, right, i + 1 == operands_.size() ? out : Labelled{}, asked);
      if (!product) return std::nullopt;
      left = *product;
    }
    return std::move(nodes_);
  }

 private:
  /// The operands as views with each label once: the diagonal of one that has it twice. Dims of
  /// size 1 that are of another size elsewhere, or that the result lacks, are left out.
  bool read(const EinsumEquation& e) {
    const Value out = graph_.value(node_.outputs[0]);
    const auto& ids = node_.args[1].tensor_list()->ids;
    std::map<char, int64_t> sizes;
    for (size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] == kNone) return false;
      const Value& v = graph_.value(ids[i]);
      if (v.opaque || v.dtype != out.dtype || v.elements() == 0) return false;
      for (size_t d = 0; d < v.sizes.size(); ++d) {
        int64_t& size = sizes.try_emplace(e.operands[i][d], 1).first->second;
        if (size != 1 && v.sizes[d] != 1 && v.sizes[d] != size) return false;
        size = std::max(size, v.sizes[d]);
      }
    }
    for (size_t i = 0; i < ids.size(); ++i) operands_.push_back(view(ids[i], e, i, sizes));
    for (size_t d = 0; d < e.result.size(); ++d) {
      const auto size = sizes.find(e.result[d]);
      if (size == sizes.end() || size->second != out.sizes[d]) return false;
    }
    // Integers have no kernel for products and sums of theirs.
    return is_floating(out.dtype) ||
           (operands_.size() == 2 &&
            sums_nothing(operands_[0], operands_[1], {node_.outputs[0], e.result}));
  }

  Labelled view(ValueId id, const EinsumEquation& e, size_t operand,
                const std::map<char, int64_t>& sizes) {
    Value v = graph_.value(id);
    const Value from = v;
    Labelled t;
    v.sizes.clear();
    v.strides.clear();
    for (size_t d = 0; d < from.sizes.size(); ++d) {
      const char c = e.operands[operand][d];
      if (from.sizes[d] == 1 && (sizes.at(c) != 1 || !has(e.result, c))) continue;
      if (const size_t at = t.labels.find(c); at != std::string::npos) {
        v.strides[at] += from.strides[d];
        continue;
      }
      t.labels += c;
      v.sizes.push_back(from.sizes[d]);
      v.strides.push_back(from.strides[d]);
    }
    t.id = id;
    if (v.sizes != from.sizes || v.strides != from.strides) {
      v.has_scalar = false;
      t.id = graph_.add(std::move(v));
    }
    return t;
  }

  /// Summed over the labels that aren't `kept`, into `out` whose dims are those of `kept`.
  void sum(const Labelled& t, const std::string& kept, ValueId out) {
    std::string order = kept;
    Arg::Ints dims;
    for (const char c : t.labels) {
      if (has(kept, c)) continue;
      dims.push_back(static_cast<int64_t>(order.size()));
      order += c;
    }
    Rewriter r(&graph_, node_);
    r.call("aten::sum.dim_IntList",
           {tensor(permuted(&graph_, t, order)), {std::move(dims)}, {false}, Arg{}}, out);
    append(r.take());
  }

  Labelled without_own_sums(const Labelled& t, const std::string& asked) {
    std::string kept;
    for (const char c : t.labels) {
      if (has(asked, c)) kept += c;
    }
    if (kept == t.labels) return t;
    const ValueId out = fresh(t, t, kept);
    sum(t, kept, out);
    return {out, kept};
  }

  /// Into `out`, or where that is nothing into a tensor of its own, as a product makes it.
  std::optional<Labelled> times(const Labelled& a, const Labelled& b, Labelled out,
                                const std::string& asked) {
    const bool is_given = out.id != kNone;
    if (!is_given) {
      std::string batch, rows, columns;
      for (const char c : a.labels) {
        if (has(asked, c)) (has(b.labels, c) ? batch : rows) += c;
      }
      for (const char c : b.labels) {
        if (has(asked, c) && !has(a.labels, c)) columns += c;
      }
      out.labels = batch + rows + columns;
      out.id = fresh(a, b, out.labels);
    }
    if (sums_nothing(a, b, out)) {
      Rewriter r(&graph_, node_);
      r.call("aten::mul.Tensor",
             {tensor(permuted(&graph_, a, out.labels)), tensor(permuted(&graph_, b, out.labels))},
             out.id);
      append(r.take());
      return out;
    }
    for (const bool copies_a : {false, true}) {
      for (const bool copies_b : {false, true}) {
        // The library writes rows; which operand's labels those are, the result's strides say.
        auto made = Product(&graph_, node_, by_library_, a, b, out).with_copies(copies_a, copies_b);
        if (!made)
          made = Product(&graph_, node_, by_library_, b, a, out).with_copies(copies_b, copies_a);
        if (!made) continue;
        append(std::move(*made));
        return out;
      }
    }
    const auto dense = is_given ? times(a, b, {}, asked) : std::nullopt;
    if (!dense) return std::nullopt;
    Rewriter r(&graph_, node_);
    r.call("aten::clone", {tensor(permuted(&graph_, *dense, out.labels)), {int64_t{0}}}, out.id);
    append(r.take());
    return out;
  }

  ValueId fresh(const Labelled& a, const Labelled& b, const std::string& labels) {
    std::vector<int64_t> sizes;
    for (const char c : labels) {
      const Labelled& t = has(a.labels, c) ? a : b;
      sizes.push_back(graph_.value(t.id).sizes[t.labels.find(c)]);
    }
    return Rewriter(&graph_, node_).fresh(graph_.value(a.id).dtype, std::move(sizes));
  }

  void append(std::vector<Node> nodes) {
    nodes_.insert(nodes_.end(), std::make_move_iterator(nodes.begin()),
                  std::make_move_iterator(nodes.end()));
  }

  Graph& graph_;
  const Node& node_;
  bool by_library_;
  std::vector<Labelled> operands_;
  std::vector<Node> nodes_;
};

}  // namespace

std::optional<std::vector<Node>> einsum_nodes(Graph* graph, const Node& node, bool by_library) {
  if (node.op != "aten::einsum" || !node.pure ||
      graph->storage_of(node.outputs[0]).kind != Storage::Kind::kLocal)
    return std::nullopt;
  return Contraction(graph, node, by_library).nodes();
}

}  // namespace torchweld
