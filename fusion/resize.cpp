#include "fusion/resize.h"

#include <array>
#include <cmath>
#include <unordered_map>

#include "fusion/node_args.h"
#include "fusion/resize_nodes.h"

namespace torchweld {
namespace {

using x86::ResizeFilter;

bool takes(const Graph& graph, const Node& node) {
  const auto r = resize_of(node);
  const ValueId source = tensor_arg(node, 0);
  if (!r || r->antialiases || source == kNone) return false;
  const Value& x = graph.value(source);
  return x.sizes.size() == r->dims + 2 && x.elements() > 0 &&
         x.dtype == graph.value(node.outputs[0]).dtype &&
         (is_floating(x.dtype) || !r->interpolates());
}

/// Places of the source along one dim, and how much each counts; -1: all of it.
struct Taps {
  std::vector<int16_t> places, weights;
};

/// Arithmetic of one dim, in the type that ATen computes places in.
class Line {
 public:
  Line(IndexedKernel* kernel, DType type, int64_t in, int64_t out, size_t dim)
      : kernel_(*kernel), b_(kernel->body()), type_(type), in_(in), out_(out), dim_(dim) {}

  Taps nearest(double scale, bool exact) {
    int16_t at = coord();
    if (exact) at = b_.emit(Prim::kAdd, type_, at, number(0.5));
    const int16_t place = whole(b_.emit(Prim::kFloor, type_, times_scale(at, scale, false)));
    return {{b_.emit(Prim::kMin, DType::kI64, place, kernel_.number(in_ - 1))}, {-1}};
  }

  Taps linear(double scale, bool aligns) {
    const int16_t zero = number(0);
    int16_t at = source(scale, aligns);
    if (!aligns) {
      const int16_t below = b_.emit(Prim::kLt, DType::kBool, at, zero);
      at = b_.emit(Prim::kSelect, type_, below, zero, at);
    }
    const int16_t first = whole(at);
    const int16_t weight = b_.emit(Prim::kSub, type_, at, b_.cast(first, type_));
    return {{clamped(first), clamped(moved(first, 1))},
            {b_.emit(Prim::kSub, type_, number(1), weight), weight}};
  }

  Taps cubic(double scale, bool aligns) {
    const int16_t at = source(scale, aligns);
    const int16_t floor = b_.emit(Prim::kFloor, type_, at);
    const int16_t t = b_.emit(Prim::kSub, type_, at, floor);
    const int16_t u = b_.emit(Prim::kSub, type_, number(1), t);
    Taps taps;
    for (int64_t k = -1; k <= 2; ++k) taps.places.push_back(clamped(moved(whole(floor), k)));
    taps.weights = {outer(t), inner(t), inner(u), outer(u)};
    return taps;
  }

 private:
  int16_t number(double x) { return b_.constant(type_, x); }
  int16_t coord() { return b_.cast(kernel_.coord(dim_), type_); }
  int16_t whole(int16_t x) { return b_.cast(x, DType::kI64); }
  int16_t moved(int16_t place, int64_t by) {
    return by == 0 ? place
                   : b_.emit(Prim::kAdd, DType::kI64, place, b_.constant_int(DType::kI64, by));
  }
  int16_t clamped(int16_t place) {
    const int16_t low = b_.emit(Prim::kMax, DType::kI64, place, b_.constant_int(DType::kI64, 0));
    return b_.emit(Prim::kMin, DType::kI64, low, kernel_.number(in_ - 1));
  }

  /// What a step of the result is in the source. A factor that the call names is its inverse,
  /// rounded as ATen rounds it; sizes stay parameters.
  int16_t times_scale(int16_t at, double scale, bool aligns) {
    if (aligns && out_ <= 1) return number(0);
    if (!aligns && scale > 0) return b_.emit(Prim::kMul, type_, at, number(1 / scale));
    const int64_t less = aligns ? 1 : 0;
    const int16_t quotient = b_.emit(Prim::kDiv, type_, b_.cast(kernel_.number(in_ - less), type_),
                                     b_.cast(kernel_.number(out_ - less), type_));
    return b_.emit(Prim::kMul, type_, at, quotient);
  }

  int16_t source(double scale, bool aligns) {
    if (aligns) return times_scale(coord(), scale, true);
    const int16_t middle = b_.emit(Prim::kAdd, type_, coord(), number(0.5));
    return b_.emit(Prim::kSub, type_, times_scale(middle, scale, false), number(0.5));
  }

  int16_t polynomial(int16_t x, const std::array<double, 4>& highest_first) {
    int16_t y = number(highest_first[0]);
    for (size_t i = 1; i < highest_first.size(); ++i) {
      y = b_.emit(Prim::kMul, type_, y, x);
      if (highest_first[i] != 0) y = b_.emit(Prim::kAdd, type_, y, number(highest_first[i]));
    }
    return y;
  }
  /// Keys' cubic with A = -0.75: of a tap less than 1 away, and of one between 1 and 2 away whose
  /// nearer neighbour is `x` away.
  int16_t inner(int16_t x) { return polynomial(x, {kA + 2, -(kA + 3), 0, 1}); }
  int16_t outer(int16_t x) {
    const int16_t far = b_.emit(Prim::kAdd, type_, x, number(1));
    return polynomial(far, {kA, -5 * kA, 8 * kA, -4 * kA});
  }

  static constexpr double kA = -0.75;
  IndexedKernel& kernel_;
  BodyBuilder& b_;
  DType type_;
  int64_t in_, out_;
  size_t dim_;
};

/// The weighted sum over the taps of dims [k, dims), innermost last, as ATen nests it.
class Sum {
 public:
  Sum(const Value& x, ValueId source, std::vector<Taps> taps, IndexedKernel* kernel)
      : x_(x), source_(source), taps_(std::move(taps)), kernel_(*kernel) {
    strides_ = x.strides;
    for (size_t d = 2; d < strides_.size(); ++d) strides_[d] = 0;
  }

  int16_t of(size_t k, int16_t offset) {
    if (k == taps_.size()) return kernel_.load(source_, strides_, offset, -1);
    BodyBuilder& b = kernel_.body();
    int16_t sum = -1;
    for (size_t i = 0; i < taps_[k].places.size(); ++i) {
      const int16_t here =
          b.emit(Prim::kMul, DType::kI64, taps_[k].places[i], kernel_.number(x_.strides[2 + k]));
      const int16_t value =
          of(k + 1, offset < 0 ? here : b.emit(Prim::kAdd, DType::kI64, offset, here));
      if (taps_[k].weights[i] < 0) return value;
      const int16_t part = b.emit(Prim::kMul, b.type_of(value), taps_[k].weights[i], value);
      sum = sum < 0 ? part : b.emit(Prim::kAdd, b.type_of(value), sum, part);
    }
    return sum;
  }

 private:
  const Value& x_;
  ValueId source_;
  std::vector<Taps> taps_;
  IndexedKernel& kernel_;
  std::vector<int64_t> strides_;
};

int16_t emit(const Graph& graph, const Node& node, IndexedKernel* kernel) {
  const ResizeNode r = *resize_of(node);
  const ValueId source = tensor_arg(node, 0);
  const Value& x = graph.value(source);
  const Value& out = graph.value(node.outputs[0]);
  const bool nearest = !r.interpolates();
  const DType type = nearest ? DType::kF32 : compute_type(x.dtype);
  std::vector<Taps> taps;
  for (size_t k = 0; k < r.dims; ++k) {
    Line line(kernel, type, x.sizes[2 + k], out.sizes[2 + k], 2 + k);
    taps.push_back(nearest ? line.nearest(r.scales[k], r.filter == ResizeFilter::kNearestExact)
                   : r.filter == ResizeFilter::kLinear ? line.linear(r.scales[k], r.aligns)
                                                       : line.cubic(r.scales[k], r.aligns));
  }
  return Sum(x, source, std::move(taps), kernel).of(0, -1);
}

}  // namespace

const IndexedRow* find_resize(const std::string& op) {
  static const IndexedRow row{takes, emit};
  Node probe;
  probe.op = op;
  const auto resize = resize_of(probe);
  return resize && !resize->antialiases ? &row : nullptr;
}

}  // namespace torchweld
