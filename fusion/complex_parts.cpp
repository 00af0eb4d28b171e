#include "fusion/complex_parts.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "fusion/einsum_equation.h"
#include "fusion/node_args.h"
#include "fusion/rewriter.h"

namespace torchweld {
namespace {

/// One operand: real numbers have no imaginary part.
struct Number {
  Arg re;
  std::optional<Arg> im;
};

bool is_conjugate(const std::string& op) { return op == "aten::conj" || op == "aten::_conj"; }

std::string base_of(const Node& node) { return node.op.substr(0, node.op.find('.')); }

/// The order of the dims in memory, outermost first.
std::vector<size_t> dims_in_memory(const Value& v) {
  std::vector<size_t> dims(v.sizes.size());
  std::iota(dims.begin(), dims.end(), size_t{0});
  std::stable_sort(dims.begin(), dims.end(),
                   [&](size_t a, size_t b) { return v.strides[a] > v.strides[b]; });
  return dims;
}

class Pairs {
 public:
  explicit Pairs(Graph* graph) : graph_(*graph) {}

  void run() {
    std::vector<Node> nodes;
    for (Node& node : graph_.nodes) {
      if (is_conjugate(node.op) && has_parts(tensor_arg(node, 0)) && node.outputs[0] != kNone)
        conjugates_[node.outputs[0]] = tensor_arg(node, 0);
      auto made = nodes_for(node);
      if (!made) made = std::vector<Node>{std::move(node)};
      std::move(made->begin(), made->end(), std::back_inserter(nodes));
    }
    graph_.nodes = std::move(nodes);
    drop_conjugates();
  }

 private:
  bool is_complex(ValueId id) const { return id != kNone && graph_.value(id).dtype == DType::kC64; }
  bool has_parts(ValueId id) const { return is_complex(id) || conjugates_.contains(id); }

  std::optional<std::vector<Node>> nodes_for(const Node& node) {
    if (auto copied = copy_between(node)) return copied;
    bool any = node.outputs.size() == 1 && is_complex(node.outputs[0]);
    for_each_input(node, [&](ValueId id) { any |= has_parts(id); });
    if (!any || !node.pure || node.outputs.size() != 1 || node.outputs[0] == kNone)
      return std::nullopt;
    const Value& out = graph_.value(node.outputs[0]);
    const bool makes = graph_.storage_of(node.outputs[0]).kind == Storage::Kind::kLocal &&
                       out.elements() > 0 && is_dense(out) && out.offset == 0;
    if (!makes || !(out.dtype == DType::kC64 || (out.dtype == DType::kF32 && !out.opaque)))
      return std::nullopt;
    if (auto moved = moves(node)) return moved;
    dims_ = dims_in_memory(out);
    sizes_.clear();
    for (const size_t d : dims_) sizes_.push_back(out.sizes[d]);
    Rewriter r(&graph_, node);
    r_ = &r;
    const bool known = out.dtype == DType::kC64 ? makes_pair(node) : makes_real(node);
    r_ = nullptr;
    return known ? std::optional(r.take()) : std::nullopt;
  }

  /// Elements that only change places, as integers of 8 bytes.
  std::optional<std::vector<Node>> moves(const Node& node) {
    static const std::set<std::string> names = {
        "aten::clone",  "aten::contiguous",   "aten::reshape",    "aten::flatten.using_ints",
        "aten::cat",    "aten::stack",        "aten::flip",       "aten::roll",
        "aten::repeat", "aten::index_select", "aten::where.self", "aten::index.Tensor",
        "aten::gather", "aten::zeros_like"};
    if (!names.contains(node.op)) return std::nullopt;
    bool moves = true;
    for_each_input(node, [&](ValueId id) {
      const Value& v = graph_.value(id);
      const bool chooses = v.dtype == DType::kBool || v.dtype == DType::kI64;
      moves &= is_complex(id) || (chooses && !v.opaque);
    });
    if (!moves) return std::nullopt;
    Node copy = node;
    for_each_input(copy, [&](ValueId& id) {
      if (is_complex(id)) id = as_integers(id);
    });
    copy.outputs[0] = as_integers(copy.outputs[0]);
    if (node.op == "aten::zeros_like" && copy.args.size() > 1) copy.args[1] = Arg{};  // dtype
    return std::vector<Node>{std::move(copy)};
  }

  /// A copy of one complex tensor into another, as integers too.
  std::optional<std::vector<Node>> copy_between(const Node& node) {
    if (node.op != "aten::copy_" || node.writes.size() != 1 ||
        node.writes[0] != tensor_arg(node, 0) || !is_complex(tensor_arg(node, 0)) ||
        !is_complex(tensor_arg(node, 1)))
      return std::nullopt;
    Node copy = node;
    copy.writes[0] = as_integers(node.writes[0]);
    copy.args[0] = tensor(copy.writes[0]);
    copy.args[1] = tensor(as_integers(tensor_arg(node, 1)));
    for (ValueId& out : copy.outputs) {
      if (out != kNone) out = as_integers(out);
    }
    return std::vector<Node>{std::move(copy)};
  }

  ValueId as_integers(ValueId id) {
    Value v = graph_.value(id);
    v.dtype = DType::kI64;
    v.opaque = v.has_scalar = false;
    return graph_.add(std::move(v));
  }

  bool makes_pair(const Node& node) {
    const std::string op = base_of(node);
    if (op == "aten::polar" || op == "aten::complex") return of_parts(node, op == "aten::polar");
    if (is_product_of_matrices(op)) return matrices(node);
    const auto a = operand(node, 0);
    if (!a) return false;
    if (op == "aten::neg") return finish(node, neg(a->re), neg(*a->im));
    if (op == "aten::resolve_conj") return finish(node, plain(a->re), plain(*a->im));
    if (op == "aten::conj_physical") return finish(node, plain(a->re), neg(*a->im));
    if (op == "aten::exp") {
      return polar(node, unary("aten::exp", a->re), *a->im);
    }
    const auto b = operand(node, 1);
    if (!b) return false;
    if (op == "aten::mul") return product(node, *a, *b);
    if (op == "aten::div" && a->im && !b->im && node.args.size() == 2) {
      const Arg re = binary("aten::div", a->re, b->re);
      return finish(node, re, binary("aten::div", *a->im, b->re));
    }
    if (op == "aten::add" || op == "aten::sub") return sum(node, op, *a, *b);
    return false;
  }

  bool makes_real(const Node& node) {
    const std::string op = base_of(node);
    if (op != "aten::abs" && op != "aten::angle") return false;
    const auto a = operand(node, 0);
    if (!a) return false;
    std::vector<Arg> parts{a->re, *a->im};
    if (op == "aten::angle") std::swap(parts[0], parts[1]);
    const ValueId out = in_memory_order(node.outputs[0]);
    r_->call(op == "aten::abs" ? "aten::hypot" : "aten::atan2", std::move(parts), out);
    return true;
  }

  bool of_parts(const Node& node, bool is_polar) {
    const auto a = operand(node, 0), b = operand(node, 1);
    if (!a || !b || a->re.tensor() == nullptr || b->re.tensor() == nullptr) return false;
    return is_polar ? polar(node, a->re, b->re) : finish(node, plain(a->re), plain(b->re));
  }

  bool polar(const Node& node, const Arg& size, const Arg& angle) {
    const Arg re = mul(size, unary("aten::cos", angle));
    return finish(node, re, mul(size, unary("aten::sin", angle)));
  }

  bool product(const Node& node, const Number& a, const Number& b) {
    if (!a.im && !b.im) return false;
    if (!a.im) return product(node, b, a);
    const Arg first = mul(a.re, b.re);
    if (!b.im) return finish(node, first, mul(*a.im, b.re));
    const Arg re = binary("aten::sub", first, mul(*a.im, *b.im));
    const Arg second = mul(a.re, *b.im);
    return finish(node, re, binary("aten::add", second, mul(*a.im, b.re)));
  }

  bool sum(const Node& node, const std::string& op, const Number& a, const Number& b) {
    if (number_arg(node, 2).value_or(1) != 1 || a.re.tensor() == nullptr) return false;
    const Arg re = binary(op.c_str(), a.re, b.re);
    if (a.im && b.im) return finish(node, re, binary(op.c_str(), *a.im, *b.im));
    if (a.im) return finish(node, re, plain(*a.im));
    return finish(node, re, op == "aten::sub" ? neg(*b.im) : plain(*b.im));
  }

  static bool is_product_of_matrices(const std::string& op) {
    return op == "aten::matmul" || op == "aten::mm" || op == "aten::bmm" || op == "aten::einsum";
  }

  /// An einsum's equation, with the result's labels in the order of its memory.
  std::optional<std::string> equation_in_memory_order(const Node& node) const {
    auto equation = equation_of(graph_, node);
    if (!equation) return std::nullopt;
    const std::string labels = equation->result;
    for (size_t i = 0; i < dims_.size(); ++i) equation->result[i] = labels[dims_[i]];
    return equation->text();
  }

  /// Four products, or two where one operand is real.
  bool matrices(const Node& node) {
    const bool sums = base_of(node) == "aten::einsum";
    std::vector<ValueId> operands;
    for_each_input(node, [&](ValueId id) { operands.push_back(id); });
    const auto equation = sums ? equation_in_memory_order(node) : std::nullopt;
    if (operands.size() != 2 || (!equation && !std::is_sorted(dims_.begin(), dims_.end())))
      return false;
    std::vector<std::pair<ValueId, ValueId>> parts;  // the imaginary one kNone for real operands
    for (const ValueId id : operands) {
      const Value& v = graph_.value(id);
      const bool real = v.dtype == DType::kF32 && !v.opaque;
      if (!real && !is_complex(id)) return false;
      if (real) {
        parts.emplace_back(id, kNone);
      } else {
        const auto one = [&](int64_t which) {
          return is_constant(id) ? constant_part(id, which) : part(id, which);
        };
        const ValueId re = one(0);
        parts.emplace_back(re, one(1));
      }
    }
    const auto times = [&](ValueId a, ValueId b) {
      std::vector<Arg> args = node.args;
      if (sums) {
        if (equation) args[0] = {*equation};
        args[1] = {Arg::TensorList{{a, b}}};
      } else {
        args[0] = tensor(a);
        args[1] = tensor(b);
      }
      return tensor(r_->call(node.op.c_str(), std::move(args), r_->fresh(DType::kF32, sizes_)));
    };
    const auto [a, b] = std::pair(parts[0], parts[1]);
    const Arg first = times(a.first, b.first);
    if (b.second == kNone) return finish(node, first, times(a.second, b.first));
    if (a.second == kNone) return finish(node, first, times(a.first, b.second));
    const Arg re = binary("aten::sub", first, times(a.second, b.second));
    const Arg second = times(a.first, b.second);
    return finish(node, re, binary("aten::add", second, times(a.second, b.first)));
  }

  /// Over the result's dims in the order of its memory.
  std::optional<Number> operand(const Node& node, size_t i) {
    const ValueId id = tensor_arg(node, i);
    if (id == kNone) {
      const auto number = number_arg(node, i);
      return number ? std::optional(Number{{*number}, std::nullopt}) : std::nullopt;
    }
    if (const auto conjugate = conjugates_.find(id); conjugate != conjugates_.end()) {
      const Arg im = tensor(in_memory_order(part(conjugate->second, 1)));
      return Number{tensor(in_memory_order(part(conjugate->second, 0))), neg(im)};
    }
    if (is_complex(id))
      return Number{tensor(in_memory_order(part(id, 0))), tensor(in_memory_order(part(id, 1)))};
    const Value& v = graph_.value(id);
    if (v.opaque || v.dtype != DType::kF32) return std::nullopt;
    return Number{tensor(in_memory_order(id)), std::nullopt};
  }

  ValueId part(ValueId id, int64_t which) {
    Value v = graph_.value(id);
    v.dtype = DType::kF32;
    v.opaque = v.has_scalar = false;
    for (int64_t& stride : v.strides) stride *= 2;
    v.offset = v.offset * 2 + which;
    return graph_.add(std::move(v));
  }

  bool is_constant(ValueId id) const {
    const Storage& s = graph_.storage_of(id);
    return s.kind == Storage::Kind::kConstant &&
           is_complex(graph_.constants[static_cast<size_t>(s.index)]);
  }

  /// Of a constant that is multiplied, a constant of its own, side by side.
  ValueId constant_part(ValueId id, int64_t which) {
    const auto [known, is_new] = constant_parts_.try_emplace(id);
    if (is_new) {
      const std::vector<int64_t> sizes = graph_.value(id).sizes;
      std::vector<int64_t> pairs = sizes;
      pairs.push_back(2);
      const ValueId both =
          r_->setup("aten::view_as_real", {tensor(r_->setup_view(id))}, DType::kF32, pairs);
      for (const int64_t one : {0, 1})
        known->second[static_cast<size_t>(one)] = r_->setup(
            "aten::select_copy.int", {tensor(both), {int64_t{-1}}, {one}}, DType::kF32, sizes);
    }
    return known->second[static_cast<size_t>(which)];
  }

  ValueId in_memory_order(ValueId id) {
    if (std::is_sorted(dims_.begin(), dims_.end())) return id;
    Value v = graph_.value(id);
    const size_t missing = dims_.size() - v.sizes.size();
    v.sizes.insert(v.sizes.begin(), missing, 1);
    v.strides.insert(v.strides.begin(), missing, 0);
    const std::vector<int64_t> sizes = v.sizes, strides = v.strides;
    for (size_t d = 0; d < dims_.size(); ++d) {
      v.sizes[d] = sizes[dims_[d]];
      v.strides[d] = strides[dims_[d]];
    }
    return graph_.add(std::move(v));
  }

  Arg made(const std::string& op, std::vector<Arg> args) {
    return tensor(r_->call(op.c_str(), std::move(args), r_->fresh(DType::kF32, sizes_)));
  }
  Arg unary(const char* op, const Arg& a) { return made(op, {plain(a)}); }
  Arg neg(const Arg& a) { return unary("aten::neg", a); }
  Arg mul(const Arg& a, const Arg& b) { return binary("aten::mul", a, b); }
  Arg binary(const std::string& op, const Arg& a, const Arg& b) {
    std::vector<Arg> args{a, b};
    if (op == "aten::add" || op == "aten::sub") args.push_back({int64_t{1}});
    return made(op + (b.tensor() == nullptr ? ".Scalar" : ".Tensor"), std::move(args));
  }
  /// An operand itself, with the result's sizes.
  Arg plain(const Arg& a) {
    const ValueId id = a.tensor()->id;
    if (graph_.value(id).sizes == sizes_) return a;
    Value v = graph_.value(id);
    const size_t missing = sizes_.size() - v.sizes.size();
    v.sizes.insert(v.sizes.begin(), missing, 1);
    v.strides.insert(v.strides.begin(), missing, 0);
    for (size_t d = 0; d < sizes_.size(); ++d) {
      if (v.sizes[d] != sizes_[d]) v.strides[d] = 0;
      v.sizes[d] = sizes_[d];
    }
    return tensor(graph_.add(std::move(v)));
  }

  bool finish(const Node& node, const Arg& re, const Arg& im) {
    Value pair = graph_.value(part(node.outputs[0], 0));
    std::vector<int64_t> strides;
    for (const size_t d : dims_) strides.push_back(pair.strides[d]);
    pair.sizes = sizes_;
    pair.strides = std::move(strides);
    pair.sizes.push_back(2);
    pair.strides.push_back(1);
    r_->call("aten::stack", {{Arg::TensorList{{re.tensor()->id, im.tensor()->id}}}, {int64_t{-1}}},
             graph_.add(std::move(pair)));
    return true;
  }

  void drop_conjugates() {
    std::set<ValueId> read(graph_.outputs.begin(), graph_.outputs.end());
    for (const Node& node : graph_.nodes)
      for_each_input(node, [&](ValueId id) { read.insert(id); });
    std::erase_if(graph_.nodes, [&](const Node& node) {
      return is_conjugate(node.op) && node.pure && !read.contains(node.outputs[0]);
    });
  }

  Graph& graph_;
  std::map<ValueId, ValueId> conjugates_;  // what they are conjugates of
  std::map<ValueId, std::array<ValueId, 2>> constant_parts_;
  // Of the node at hand.
  Rewriter* r_ = nullptr;
  std::vector<size_t> dims_;
  std::vector<int64_t> sizes_;
};

}  // namespace

void complex_parts(Graph* graph) {
  const bool any = std::any_of(graph->values.begin(), graph->values.end(),
                               [](const Value& v) { return v.dtype == DType::kC64; });
  if (any) Pairs(graph).run();
}

}  // namespace torchweld
