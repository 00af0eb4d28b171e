// Writes formulas over tensors as nodes that stand for one composite node.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "fusion/rewriter.h"

namespace torchweld {

/// A value of the formula under way. Results are dense, of the sizes to which their operands
/// broadcast.
class Terms;
struct Term {
  Terms* terms = nullptr;
  ValueId id = kNone;
};

class Terms {
 public:
  Terms(Graph* graph, const Node& node) : graph_(*graph), r_(graph, node) {}

  Term read(ValueId id) { return {this, id}; }
  /// A view of a tensor that is there.
  Term view(Value v) { return {this, graph_.add(std::move(v))}; }
  const Value& value(Term t) const { return graph_.value(t.id); }

  Term unary(const char* op, Term a) { return {this, r_.like(op, {tensor(a.id)}, a.id)}; }
  Term scalar(const char* op, Term a, double b) {
    return {this, r_.like(op, {tensor(a.id), {b}}, a.id)};
  }
  Term sum_scalar(const char* op, Term a, double b) {
    return {this, r_.like(op, {tensor(a.id), {b}, {int64_t{1}}}, a.id)};
  }
  Term binary(const char* op, Term a, Term b) {
    return call(op, {tensor(a.id), tensor(b.id)}, a, b);
  }
  Term sum_binary(const char* op, Term a, Term b) {
    return call(op, {tensor(a.id), tensor(b.id), {int64_t{1}}}, a, b);
  }
  Term compared(const char* op, Term a, double b) { return truth(op, {tensor(a.id), {b}}, a); }
  Term equals(Term a, int64_t b) { return truth("aten::eq.Scalar", {tensor(a.id), {b}}, a); }
  Term equals(Term a, Term b) {
    std::vector<int64_t> sizes = broadcast(a, b);
    return {this, r_.call("aten::eq.Tensor", {tensor(a.id), tensor(b.id)},
                          r_.fresh(DType::kBool, std::move(sizes)))};
  }
  Term logical_not(Term a) { return truth("aten::logical_not", {tensor(a.id)}, a); }
  /// In the dtype of `like`.
  Term cast(Term a, Term like) {
    return {this, r_.cast(a.id, r_.fresh(graph_.value(like.id).dtype, graph_.value(a.id).sizes))};
  }
  Term masked_fill(Term a, Term mask, Arg number) {
    return {this, r_.like("aten::masked_fill.Scalar",
                          {tensor(a.id), tensor(mask.id), std::move(number)}, a.id)};
  }
  /// 0, 1, ... , of the host and made once.
  Term places(int64_t count) {
    const Arg none, type{scalar_type_number(DType::kI64)};
    return {this,
            r_.setup("aten::arange", {{count}, type, none, none, none}, DType::kI64, {count})};
  }
  /// The elements of `table` that `index`, of as many dims, names along one of them.
  Term gather(Term table, size_t dim, Term index) {
    return {this,
            r_.call("aten::gather",
                    {tensor(table.id), {static_cast<int64_t>(dim)}, tensor(index.id), {false}},
                    r_.fresh(graph_.value(table.id).dtype, graph_.value(index.id).sizes))};
  }
  Term where(Term condition, Term a, Term b) {
    return call("aten::where.self", {tensor(condition.id), tensor(a.id), tensor(b.id)}, a,
                condition);
  }
  Term where(Term condition, Term a, double b) {
    return call("aten::where.ScalarOther", {tensor(condition.id), tensor(a.id), {b}}, a, condition);
  }

  /// "aten::sum.dim_IntList" or an extreme, over these dims, which stay with size 1.
  Term reduced(const char* op, Term a, const Arg::Ints& dims) {
    std::vector<int64_t> sizes = graph_.value(a.id).sizes;
    for (const int64_t d : dims) sizes[static_cast<size_t>(d)] = 1;
    std::vector<Arg> args = {tensor(a.id), {dims}, {true}};
    if (op == kSum) args.push_back({});
    return {this, r_.call(op, std::move(args), r_.fresh(graph_.value(a.id).dtype, sizes))};
  }
  Term sum(Term a, const Arg::Ints& dims) { return reduced(kSum, a, dims); }

  /// `last` as the node's result, perhaps without dims of size 1.
  std::vector<Node> finish(Term last, ValueId out) {
    Value shaped = graph_.value(last.id);
    if (shaped.sizes != graph_.value(out).sizes) {
      shaped.sizes = graph_.value(out).sizes;
      shaped.strides = contiguous_strides(shaped.sizes);
      last.id = graph_.add(std::move(shaped));
    }
    r_.cast(last.id, out);
    return r_.take();
  }

 private:
  static constexpr const char* kSum = "aten::sum.dim_IntList";

  static Arg tensor(ValueId id) { return {Arg::Tensor{id}}; }

  Term truth(const char* op, std::vector<Arg> args, Term like) {
    return {this,
            r_.call(op, std::move(args), r_.fresh(DType::kBool, graph_.value(like.id).sizes))};
  }

  std::vector<int64_t> broadcast(Term a, Term b) const {
    std::vector<int64_t> sizes = graph_.value(a.id).sizes, other = graph_.value(b.id).sizes;
    if (sizes.size() < other.size()) std::swap(sizes, other);
    const size_t skip = sizes.size() - other.size();
    for (size_t d = 0; d < other.size(); ++d)
      sizes[skip + d] = sizes[skip + d] == 1 ? other[d] : sizes[skip + d];
    return sizes;
  }

  Term call(const char* op, std::vector<Arg> args, Term a, Term b) {
    std::vector<int64_t> sizes = broadcast(a, b);
    return {this, r_.call(op, std::move(args), r_.fresh(graph_.value(a.id).dtype, sizes))};
  }

  Graph& graph_;
  Rewriter r_;
};

inline Term operator+(Term a, Term b) { return a.terms->sum_binary("aten::add.Tensor", a, b); }
inline Term operator-(Term a, Term b) { return a.terms->sum_binary("aten::sub.Tensor", a, b); }
inline Term operator*(Term a, Term b) { return a.terms->binary("aten::mul.Tensor", a, b); }
inline Term operator/(Term a, Term b) { return a.terms->binary("aten::div.Tensor", a, b); }
inline Term operator+(Term a, double b) { return a.terms->sum_scalar("aten::add.Scalar", a, b); }
inline Term operator-(Term a, double b) { return a.terms->sum_scalar("aten::sub.Scalar", a, b); }
inline Term operator-(double a, Term b) { return b.terms->sum_scalar("aten::rsub.Scalar", b, a); }
inline Term operator*(Term a, double b) { return a.terms->scalar("aten::mul.Scalar", a, b); }
inline Term operator/(Term a, double b) { return a.terms->scalar("aten::div.Scalar", a, b); }
inline Term operator-(Term a) { return a.terms->unary("aten::neg", a); }
inline Term abs(Term a) { return a.terms->unary("aten::abs", a); }
inline Term sqrt(Term a) { return a.terms->unary("aten::sqrt", a); }
inline Term exp(Term a) { return a.terms->unary("aten::exp", a); }
inline Term log(Term a) { return a.terms->unary("aten::log", a); }
inline Term clamp_min(Term a, double b) { return a.terms->scalar("aten::clamp_min", a, b); }

}  // namespace torchweld
