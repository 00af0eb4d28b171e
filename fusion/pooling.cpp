#include "fusion/pooling.h"

#include <algorithm>
#include <limits>

#include "fusion/node_args.h"

namespace torchweld {
namespace {

/// An int list argument of `dims` entries; one entry stands for all, none for `missing`.
std::optional<std::vector<int64_t>> window_arg(const Node& node, size_t i, size_t dims,
                                               const std::vector<int64_t>& missing) {
  if (i >= node.args.size()) return missing;
  const auto* list = std::get_if<Arg::Ints>(&node.args[i].value);
  if (list == nullptr) return std::nullopt;
  if (list->empty()) return missing;
  if (list->size() == 1) return std::vector<int64_t>(dims, (*list)[0]);
  return list->size() == dims ? std::optional(*list) : std::nullopt;
}

/// "aten::max_pool2d" with the prefix "aten::max_pool": 2; 0 for other names.
size_t dims_of(const std::string& op, const std::string& prefix) {
  if (!op.starts_with(prefix) || op.size() != prefix.size() + 2 || op.back() != 'd') return 0;
  const char digit = op[prefix.size()];
  return digit >= '1' && digit <= '3' ? static_cast<size_t>(digit - '0') : 0;
}

/// Domain and strides from window sizes, once everything else is known.
std::optional<Pooling> finished(const Graph& graph, const Node& node, Pooling p,
                                const std::vector<int64_t>& window) {
  const Value& x = graph.value(p.source);
  const Value& out = graph.value(node.outputs[0]);
  if (!is_floating(x.dtype) || out.dtype != x.dtype || out.sizes.size() != x.sizes.size() ||
      x.sizes.size() < window.size() + 1)
    return std::nullopt;
  p.domain.sizes = out.sizes;
  p.domain.reduced.assign(out.sizes.size(), false);
  p.domain.sizes.insert(p.domain.sizes.end(), window.begin(), window.end());
  p.domain.reduced.resize(p.domain.sizes.size(), true);
  return p;
}

std::optional<Pooling> plain_pooling(const Graph& graph, const Node& node, bool averages,
                                     size_t dims) {
  Pooling p;
  p.averages = averages;
  p.source = node.args[0].tensor()->id;
  const std::vector<int64_t> ones(dims, 1), zeros(dims, 0);
  const auto window = window_arg(node, 1, dims, ones);
  if (!window) return std::nullopt;
  const auto steps = window_arg(node, 2, dims, *window), before = window_arg(node, 3, dims, zeros);
  const auto spreads = averages ? std::optional(ones) : window_arg(node, 4, dims, ones);
  if (!steps || !before || !spreads) return std::nullopt;
  p.steps = *steps;
  p.before = *before;
  p.spreads = *spreads;
  if (averages) {
    p.counts_padding = flag_arg(node, 5);
    if (node.args.size() > 6) {
      if (const auto* d = std::get_if<int64_t>(&node.args[6].value))
        p.divisor = static_cast<double>(*d);
    }
    // With ceil_mode the last windows reach past the padding, which counts no further.
    const bool rounds_up = flag_arg(node, 4);
    if (rounds_up && (dims == 1 || (p.counts_padding && p.divisor == 0))) return std::nullopt;
    p.by_steps = !rounds_up;
  }
  return finished(graph, node, std::move(p), *window);
}

/// The longest of `to` windows over `in` elements: they begin at o * in / to and end at
/// (o + 1) * in / to, rounded up (ATen/native/AdaptivePooling.h).
int64_t longest_window(int64_t in, int64_t to) {
  int64_t longest = 0;
  for (int64_t o = 0; o < to; ++o)
    longest = std::max(longest, ((o + 1) * in + to - 1) / to - o * in / to);
  return longest;
}

std::optional<Pooling> adaptive_pooling(const Graph& graph, const Node& node, size_t dims) {
  Pooling p;
  p.averages = true;
  p.source = node.args[0].tensor()->id;
  const Value& x = graph.value(p.source);
  const Value& out = graph.value(node.outputs[0]);
  std::vector<int64_t> window;
  for (size_t k = 0; k < dims && x.sizes.size() > dims; ++k) {
    const int64_t in = x.sizes[x.sizes.size() - dims + k],
                  to = out.sizes[out.sizes.size() - dims + k];
    if (to == 0 || in == 0) return std::nullopt;
    window.push_back(longest_window(in, to));
    p.steps.push_back(in % to == 0 ? in / to : Pooling::kUneven);
    if (in % to != 0) p.by_steps = p.counts_padding = false;
  }
  // Poolings of signals are relaid as those that kernels by hand take (channels_last.cpp).
  if (window.size() != dims || (dims == 1 && !p.by_steps)) return std::nullopt;
  p.spreads.assign(dims, 1);
  p.before.assign(dims, 0);
  return finished(graph, node, std::move(p), window);
}

/// Where the adaptive window after `past` more ones begins along window dim k, rounded up or down.
int16_t adaptive_place(const Graph& graph, const Pooling& p, size_t k, int64_t past, bool up,
                       IndexedKernel* kernel) {
  const Value& x = graph.value(p.source);
  const size_t dim = x.sizes.size() - p.steps.size() + k;
  const int64_t in = x.sizes[dim], to = p.domain.sizes[dim];
  BodyBuilder& b = kernel->body();
  const int16_t scaled = b.emit(Prim::kMul, DType::kI64, kernel->coord(dim), kernel->number(in));
  const int64_t more = past * in + (up ? to - 1 : 0);
  const int16_t moved =
      more == 0 ? scaled : b.emit(Prim::kAdd, DType::kI64, scaled, kernel->number(more));
  return b.emit(Prim::kDiv, DType::kI64, moved, kernel->number(to));
}

/// Whether a place along window dim k lies in the source; -1 where it always does.
int16_t lies_inside(const Graph& graph, const Pooling& p, size_t k, IndexedKernel* kernel) {
  const Value& x = graph.value(p.source);
  const size_t dims = p.steps.size(), dim = x.sizes.size() - dims + k;
  const int64_t extent = x.sizes[dim], outs = p.domain.sizes[dim],
                taps = p.domain.sizes[x.sizes.size() + k];
  BodyBuilder& b = kernel->body();
  if (p.steps[k] == Pooling::kUneven) {
    const int16_t at =
        b.emit(Prim::kAdd, DType::kI64, adaptive_place(graph, p, k, 0, false, kernel),
               kernel->coord(x.sizes.size() + k));
    return b.emit(Prim::kLt, DType::kBool, at, adaptive_place(graph, p, k, 1, true, kernel));
  }
  const int64_t last = (outs - 1) * p.steps[k] + (taps - 1) * p.spreads[k] - p.before[k];
  if (p.before[k] == 0 && last < extent) return -1;
  const auto times = [&](int16_t at, int64_t by) {
    return b.emit(Prim::kMul, DType::kI64, at, kernel->number(by));
  };
  const int16_t sum = b.emit(Prim::kAdd, DType::kI64, times(kernel->coord(dim), p.steps[k]),
                             times(kernel->coord(x.sizes.size() + k), p.spreads[k]));
  const int16_t at = b.emit(Prim::kSub, DType::kI64, sum, kernel->number(p.before[k]));
  return b.emit(Prim::kAnd, DType::kBool,
                b.emit(Prim::kLe, DType::kBool, b.constant_int(DType::kI64, 0), at),
                b.emit(Prim::kLt, DType::kBool, at, kernel->number(extent)));
}

}  // namespace

std::optional<Pooling> pooling_of(const Graph& graph, const Node& node) {
  if (node.args.empty() || node.args[0].tensor() == nullptr) return std::nullopt;
  if (const size_t dims = dims_of(node.op, "aten::max_pool"))
    return plain_pooling(graph, node, false, dims);
  if (const size_t dims = dims_of(node.op, "aten::avg_pool"))
    return plain_pooling(graph, node, true, dims);
  if (const size_t dims = dims_of(node.op, "aten::adaptive_avg_pool"))
    return adaptive_pooling(graph, node, dims);
  return std::nullopt;
}

int16_t emit_pooling(const Graph& graph, const Pooling& p, IndexedKernel* kernel) {
  BodyBuilder& b = kernel->body();
  const Value& x = graph.value(p.source);
  const size_t dims = p.steps.size(), first = x.sizes.size() - dims;
  std::vector<int64_t> strides = x.strides;
  int64_t moved = 0;
  int16_t inside = -1, begin = -1;
  for (size_t k = 0; k < dims; ++k) {
    const int64_t stride = x.strides[first + k];
    strides[first + k] = stride * p.steps[k];
    strides.push_back(stride * p.spreads[k]);
    moved -= stride * p.before[k];
    const int16_t here = lies_inside(graph, p, k, kernel);
    if (here >= 0) inside = inside < 0 ? here : b.emit(Prim::kAnd, DType::kBool, inside, here);
    if (p.steps[k] != Pooling::kUneven) continue;
    const int16_t place =
        b.emit(Prim::kMul, DType::kI64, adaptive_place(graph, p, k, 0, false, kernel),
               kernel->number(stride));
    begin = begin < 0 ? place : b.emit(Prim::kAdd, DType::kI64, begin, place);
  }
  // Only adaptive windows begin where no stride leads, and those have no padding before them.
  const int16_t offset = moved == 0 ? begin : kernel->number(moved);
  const int16_t value = kernel->load(p.source, strides, offset, inside);
  const DType type = b.type_of(value);
  if (!p.averages) {
    const int16_t lowest = b.constant(type, -std::numeric_limits<double>::infinity());
    const int16_t counted = inside < 0 ? value : b.emit(Prim::kSelect, type, inside, value, lowest);
    return b.emit(Prim::kLargest, type, counted);
  }
  const int16_t total = b.emit(Prim::kSum, type, value);
  if (p.divisor == 0 && !p.counts_padding && inside >= 0)
    return b.emit(Prim::kDiv, type, total, b.emit(Prim::kSum, type, b.cast(inside, type)));
  double divisor = p.divisor;
  for (size_t k = 0; p.divisor == 0 && k < dims; ++k)
    divisor =
        (divisor == 0 ? 1 : divisor) * static_cast<double>(p.domain.sizes[x.sizes.size() + k]);
  return b.emit(Prim::kDiv, type, total,
                b.cast(kernel->number(static_cast<int64_t>(divisor)), type));
}

}  // namespace torchweld
