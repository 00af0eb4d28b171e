#include "fusion/fold.h"

#include <algorithm>
#include <array>

#include "fusion/node_args.h"
#include "fusion/rewriter.h"

namespace torchweld {
namespace {

constexpr int64_t kMostAdded = 4;  // one by one, by a kernel without rows

int64_t parts(int64_t whole, int64_t part) { return (whole + part - 1) / part; }

/// One of the image's two dims.
struct Side {
  int64_t size = 0, taps = 0, before = 0, step = 1;

  int64_t windows() const { return (size + 2 * before - taps) / step + 1; }
  int64_t covers() const { return parts(taps, step); }           ///< windows over a pixel
  int64_t places() const { return parts(size + before, step); }  ///< a step apart
  int64_t taps_missing() const { return covers() * step - taps; }
  int64_t windows_missing() const { return std::max<int64_t>(places() - windows(), 0); }
  bool is_whole() const { return before == 0 && places() * step == size; }
};

class Fold {
 public:
  Fold(Graph* graph, const Node& node) : graph_(*graph), node_(node), r_(graph, node) {}

  std::optional<std::vector<Node>> nodes() {
    if (!find_sides()) return std::nullopt;
    add_up(padded(columns_by_tap()));
    return r_.take();
  }

 private:
  bool find_sides() {
    const ValueId x = tensor_arg(node_, 0);
    if (node_.op != "aten::col2im" || x == kNone) return false;
    const Value &columns = graph_.value(x), &out = graph_.value(node_.outputs[0]);
    const auto *sizes = ints_arg(node_, 1), *taps = ints_arg(node_, 2),
               *spread = ints_arg(node_, 3), *before = ints_arg(node_, 4),
               *step = ints_arg(node_, 5);
    for (const auto* list : {sizes, taps, spread, before, step}) {
      if (list == nullptr || list->size() != 2) return false;
    }
    for (size_t d = 0; d < 2; ++d) {
      if ((*spread)[d] != 1) return false;
      sides_[d] = {(*sizes)[d], (*taps)[d], (*before)[d], (*step)[d]};
    }
    const size_t rank = columns.sizes.size();
    return is_floating(out.dtype) && columns.dtype == out.dtype && out.elements() > 0 &&
           out.strides == contiguous_strides(out.sizes) && (rank == 2 || rank == 3) &&
           out.sizes.size() == rank + 1;
  }

  /// [batch, channels, taps down, taps right, windows down, windows right].
  Value columns_by_tap() const {
    Value v = graph_.value(tensor_arg(node_, 0));
    if (v.sizes.size() == 2) {
      v.sizes.insert(v.sizes.begin(), 1);
      v.strides.insert(v.strides.begin(), 0);
    }
    const auto& [down, right] = sides_;
    const int64_t row = v.strides[1], column = v.strides[2];
    v.sizes = {v.sizes[0],     v.sizes[1] / (down.taps * right.taps),
               down.taps,      right.taps,
               down.windows(), right.windows()};
    v.strides = {v.strides[0], down.taps * right.taps * row, right.taps * row,
                 row,          right.windows() * column,     column};
    return v;
  }

  /// Halves as floats, and with zeros for the taps that make them a multiple of the step, and for
  /// the windows before and after the image's.
  ValueId padded(Value v) {
    if (is_half(v.dtype)) {
      const ValueId wide = r_.fresh(DType::kF32, v.sizes);
      v = graph_.value(r_.cast(graph_.add(std::move(v)), wide));
    }
    Arg::Ints around;
    const std::vector<int64_t> inner = v.sizes;
    for (size_t d = 2; d-- > 0;) {
      around.push_back(sides_[d].covers() - 1);
      around.push_back(sides_[d].windows_missing());
    }
    for (size_t d = 2; d-- > 0;) {
      around.push_back(0);
      around.push_back(sides_[d].taps_missing());
    }
    std::vector<int64_t> sizes = v.sizes;
    for (size_t i = 0; i < 4; ++i) sizes[5 - i] += around[2 * i] + around[2 * i + 1];
    const DType dtype = v.dtype;
    const ValueId columns = graph_.add(std::move(v));
    if (sizes == inner) return columns;
    return r_.call("aten::constant_pad_nd", {tensor(columns), {around}, {0.0}},
                   r_.fresh(dtype, std::move(sizes)));
  }

  /// Dims of `taps` and `windows` as the places a step apart and the pixels of a step; the windows
  /// over a pixel are one more dim.
  Value over_pixels(Value v, size_t taps, size_t windows, const Side& side) const {
    const int64_t tap = v.strides[taps], window = v.strides[windows];
    v.offset += (side.covers() - 1) * window;
    v.sizes[taps] = side.places();
    v.strides[taps] = window;
    v.sizes[windows] = side.step;
    v.strides[windows] = tap;
    v.sizes.push_back(side.covers());
    v.strides.push_back(side.covers() > 1 ? side.step * tap - window : 0);
    return v;
  }

  /// The sum over the last dim, in `into` or in memory of its own; a view where there is but one.
  ValueId summed(Value v, ValueId into) {
    const auto last = static_cast<int64_t>(v.sizes.size()) - 1;
    const int64_t count = v.sizes.back(), step = v.strides.back();
    const bool one = count == 1;
    Value out = v;
    out.sizes.pop_back();
    out.strides.pop_back();
    if (one && into == kNone) return graph_.add(std::move(out));
    const ValueId made = into == kNone ? r_.fresh(v.dtype, out.sizes) : into;
    if (one)
      return r_.call("aten::clone", {tensor(graph_.add(std::move(out))), {int64_t{0}}}, made);
    if (count <= kMostAdded) {
      ValueId sum = graph_.add(out);
      for (int64_t i = 1; i < count; ++i) {
        out.offset += step;
        const ValueId to = i + 1 == count ? made : r_.fresh(v.dtype, out.sizes);
        sum = r_.call("aten::add.Tensor", {tensor(sum), tensor(graph_.add(out)), {int64_t{1}}}, to);
      }
      return made;
    }
    return r_.call("aten::sum.dim_IntList",
                   {tensor(graph_.add(std::move(v))), {Arg::Ints{last}}, {false}, {}}, made);
  }

  /// Down first, which leaves whole rows of windows side by side.
  void add_up(ValueId columns) {
    const auto& [down, right] = sides_;
    Value v = graph_.value(columns);
    std::swap(v.sizes[3], v.sizes[4]);
    std::swap(v.strides[3], v.strides[4]);
    const ValueId rows = summed(over_pixels(std::move(v), 2, 3, down), kNone);
    Value pixels = over_pixels(graph_.value(rows), 4, 5, right);
    const bool whole =
        down.is_whole() && right.is_whole() && pixels.dtype == graph_.value(node_.outputs[0]).dtype;
    const std::vector<int64_t> sizes(pixels.sizes.begin(), pixels.sizes.end() - 1);
    ValueId made = kNone;
    if (whole) {
      Value seen = graph_.value(node_.outputs[0]);
      seen.sizes = sizes;
      seen.strides = contiguous_strides(sizes);
      made = graph_.add(std::move(seen));
    } else {
      made = r_.fresh(pixels.dtype, sizes);
    }
    summed(std::move(pixels), made);
    if (!whole) cut_out(made);
  }

  /// The image's pixels of those that windows cover.
  void cut_out(ValueId from) {
    const auto& [down, right] = sides_;
    Value v = graph_.value(from);
    const int64_t row = right.places() * right.step, rows = down.places() * down.step;
    v.offset += down.before * row + right.before;
    const int64_t channels = v.sizes[1];
    v.sizes = graph_.value(node_.outputs[0]).sizes;
    v.strides = {channels * rows * row, rows * row, row, 1};
    if (v.sizes.size() == 3) v.strides.erase(v.strides.begin());
    const ValueId image = graph_.add(std::move(v));
    if (is_half(graph_.value(node_.outputs[0]).dtype)) {
      r_.cast(image, node_.outputs[0]);
    } else {
      r_.call("aten::clone", {tensor(image), {int64_t{0}}}, node_.outputs[0]);
    }
  }

  Graph& graph_;
  const Node& node_;
  Rewriter r_;
  std::array<Side, 2> sides_;
};

}  // namespace

std::optional<std::vector<Node>> fold_nodes(Graph* graph, const Node& node) {
  return Fold(graph, node).nodes();
}

}  // namespace torchweld
