#include "fusion/pooling.h"

#include <algorithm>
#include <limits>

#include "fusion/node_args.h"
#include "fusion/rewriter.h"

namespace torchweld {
namespace {

/// Nodes that make places of maxima: the arguments of a maximum pooling, and then the maxima.
constexpr const char* kPlaces = "torchweld::places_of_";

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
  const DType made = p.largest == kNone ? x.dtype : DType::kI64;
  if (!is_floating(x.dtype) || out.dtype != made || out.sizes.size() != x.sizes.size() ||
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
  if (const auto maxima = argument_of_maxima(node)) p.largest = tensor_arg(node, *maxima);
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
    p.by_steps = !flag_arg(node, 4);
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

std::optional<Pooling> adaptive_pooling(const Graph& graph, const Node& node, bool averages,
                                        size_t dims) {
  Pooling p;
  p.averages = averages;
  p.by_steps = averages;
  p.source = node.args[0].tensor()->id;
  if (const auto maxima = argument_of_maxima(node)) p.largest = tensor_arg(node, *maxima);
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
  if (window.size() != dims) return std::nullopt;
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

/// Where the element is read along window dim k; it may lie outside.
int16_t place_in_source(const Graph& graph, const Pooling& p, size_t k, IndexedKernel* kernel) {
  const size_t rank = graph.value(p.source).sizes.size(), dim = rank - p.steps.size() + k;
  BodyBuilder& b = kernel->body();
  if (p.steps[k] == Pooling::kUneven)
    return b.emit(Prim::kAdd, DType::kI64, adaptive_place(graph, p, k, 0, false, kernel),
                  kernel->coord(rank + k));
  const auto times = [&](int16_t at, int64_t by) {
    return b.emit(Prim::kMul, DType::kI64, at, kernel->number(by));
  };
  const int16_t sum = b.emit(Prim::kAdd, DType::kI64, times(kernel->coord(dim), p.steps[k]),
                             times(kernel->coord(rank + k), p.spreads[k]));
  return b.emit(Prim::kSub, DType::kI64, sum, kernel->number(p.before[k]));
}

/// Where the last window along window dim k ends.
int64_t end_of_windows(const Graph& graph, const Pooling& p, size_t k) {
  const size_t rank = graph.value(p.source).sizes.size();
  const int64_t outs = p.domain.sizes[rank - p.steps.size() + k], taps = p.domain.sizes[rank + k];
  return (outs - 1) * p.steps[k] + (taps - 1) * p.spreads[k] - p.before[k] + 1;
}

/// Whether a place along window dim k lies in the source; -1 where it always does.
int16_t lies_inside(const Graph& graph, const Pooling& p, size_t k, IndexedKernel* kernel) {
  const Value& x = graph.value(p.source);
  const int64_t extent = x.sizes[x.sizes.size() - p.steps.size() + k];
  BodyBuilder& b = kernel->body();
  if (p.steps[k] == Pooling::kUneven)
    return b.emit(Prim::kLt, DType::kBool, place_in_source(graph, p, k, kernel),
                  adaptive_place(graph, p, k, 1, true, kernel));
  if (p.before[k] == 0 && end_of_windows(graph, p, k) <= extent) return -1;
  const int16_t at = place_in_source(graph, p, k, kernel);
  return b.emit(Prim::kAnd, DType::kBool,
                b.emit(Prim::kLe, DType::kBool, b.constant_int(DType::kI64, 0), at),
                b.emit(Prim::kLt, DType::kBool, at, kernel->number(extent)));
}

/// What the sum of a window is divided by where padding counts: its elements but those that lie
/// past the padding, where ceil_mode puts some.
int16_t window_size(const Graph& graph, const Pooling& p, IndexedKernel* kernel) {
  const Value& x = graph.value(p.source);
  const size_t rank = x.sizes.size(), dims = p.steps.size();
  BodyBuilder& b = kernel->body();
  int64_t whole = 1;
  int16_t cut = -1;
  for (size_t k = 0; k < dims; ++k) {
    const size_t dim = rank - dims + k;
    const int64_t taps = p.domain.sizes[rank + k], padded = x.sizes[dim] + 2 * p.before[k];
    if (end_of_windows(graph, p, k) + p.before[k] <= padded) {
      whole *= taps;
      continue;
    }
    const int16_t begin =
        b.emit(Prim::kMul, DType::kI64, kernel->coord(dim), kernel->number(p.steps[k]));
    const int16_t rest = b.emit(Prim::kSub, DType::kI64, kernel->number(padded), begin);
    const int16_t size = b.emit(Prim::kMin, DType::kI64, rest, kernel->number(taps));
    cut = cut < 0 ? size : b.emit(Prim::kMul, DType::kI64, cut, size);
  }
  return cut < 0 ? kernel->number(whole)
                 : b.emit(Prim::kMul, DType::kI64, cut, kernel->number(whole));
}

/// One element that a window reads: 0 where that is not `inside`, which is -1 where all are.
struct Tap {
  int16_t value, inside;
};

Tap load_tap(const Graph& graph, const Pooling& p, IndexedKernel* kernel) {
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
  return {kernel->load(p.source, strides, offset, inside), inside};
}

/// Where in its plane of the source the largest stands: the first of equal ones, but the last of
/// NaN (ATen/native/cpu/MaxPoolKernel.cpp). So the places of NaN count downwards from 0, and the
/// smallest is the answer, without its sign.
int16_t emit_places(const Graph& graph, const Pooling& p, const Tap& tap, IndexedKernel* kernel) {
  BodyBuilder& b = kernel->body();
  const Value& x = graph.value(p.source);
  const size_t dims = p.steps.size(), first = x.sizes.size() - dims;
  int16_t place = place_in_source(graph, p, 0, kernel);
  for (size_t k = 1; k < dims; ++k) {
    const int16_t rows = b.emit(Prim::kMul, DType::kI64, place, kernel->number(x.sizes[first + k]));
    place = b.emit(Prim::kAdd, DType::kI64, rows, place_in_source(graph, p, k, kernel));
  }
  const int16_t zero = b.constant_int(DType::kI64, 0);
  const int16_t is_nan = b.emit(Prim::kNe, DType::kBool, tap.value, tap.value);
  int16_t counts = b.emit(Prim::kOr, DType::kBool, is_nan,
                          b.emit(Prim::kEq, DType::kBool, tap.value, kernel->here(p.largest)));
  if (tap.inside >= 0) counts = b.emit(Prim::kAnd, DType::kBool, counts, tap.inside);
  const int16_t rank = b.emit(Prim::kSelect, DType::kI64, is_nan,
                              b.emit(Prim::kSub, DType::kI64, zero, place), place);
  const int16_t last = b.constant_int(DType::kI64, std::numeric_limits<int64_t>::max());
  const int16_t best =
      b.emit(Prim::kSmallest, DType::kI64, b.emit(Prim::kSelect, DType::kI64, counts, rank, last));
  return b.emit(Prim::kMax, DType::kI64, best, b.emit(Prim::kSub, DType::kI64, zero, best));
}

/// "aten::max_pool2d" of "aten::max_pool2d_with_indices", an adaptive one itself; empty where no
/// kernel makes the places.
std::string op_of_maxima(const std::string& op) {
  if (op == "aten::max_pool1d_with_indices") return "aten::max_pool1d";
  if (op == "aten::max_pool2d_with_indices") return "aten::max_pool2d";
  return op == "aten::adaptive_max_pool1d" || op == "aten::adaptive_max_pool2d" ? op : "";
}

std::optional<Pooling> pooling_named(const Graph& graph, const Node& node, const std::string& op) {
  if (const size_t dims = dims_of(op, "aten::max_pool"))
    return plain_pooling(graph, node, false, dims);
  if (const size_t dims = dims_of(op, "aten::avg_pool"))
    return plain_pooling(graph, node, true, dims);
  if (const size_t dims = dims_of(op, "aten::adaptive_avg_pool"))
    return adaptive_pooling(graph, node, true, dims);
  if (const size_t dims = dims_of(op, "aten::adaptive_max_pool"))
    return adaptive_pooling(graph, node, false, dims);
  return std::nullopt;
}

}  // namespace

std::optional<Pooling> pooling_of(const Graph& graph, const Node& node) {
  if (node.args.empty() || node.args[0].tensor() == nullptr) return std::nullopt;
  if (!node.op.starts_with(kPlaces)) return pooling_named(graph, node, node.op);
  return pooling_named(graph, node, "aten::" + node.op.substr(std::string(kPlaces).size()));
}

std::optional<size_t> argument_of_maxima(const Node& node) {
  return node.op.starts_with(kPlaces) ? std::optional(node.args.size() - 1) : std::nullopt;
}

std::optional<std::vector<Node>> maxima_and_places(Graph* graph, const Node& node) {
  const std::string op = op_of_maxima(node.op);
  if (op.empty() || !node.pure || node.outputs.size() != 2 || node.outputs[0] == kNone)
    return std::nullopt;
  Node maxima = node;
  maxima.op = op;
  maxima.part_of = node.op;
  maxima.outputs.pop_back();
  const Value& x = graph->value(tensor_arg(node, 0));
  if (x.opaque || graph->value(node.outputs[0]).opaque ||
      graph->value(node.outputs[0]).elements() == 0 || !pooling_of(*graph, maxima))
    return std::nullopt;
  if (node.outputs[1] == kNone) return std::vector<Node>{std::move(maxima)};
  Node places = maxima;
  places.op = kPlaces + op.substr(std::string("aten::").size());
  places.args.push_back(tensor(node.outputs[0]));
  places.outputs = {node.outputs[1]};
  return std::vector<Node>{std::move(maxima), std::move(places)};
}

int16_t emit_pooling(const Graph& graph, const Pooling& p, IndexedKernel* kernel) {
  BodyBuilder& b = kernel->body();
  const auto [value, inside] = load_tap(graph, p, kernel);
  if (p.largest != kNone) return emit_places(graph, p, {value, inside}, kernel);
  const DType type = b.type_of(value);
  if (!p.averages) {
    const int16_t lowest = b.constant(type, -std::numeric_limits<double>::infinity());
    const int16_t counted = inside < 0 ? value : b.emit(Prim::kSelect, type, inside, value, lowest);
    return b.emit(Prim::kLargest, type, counted);
  }
  const int16_t total = b.emit(Prim::kSum, type, value);
  int16_t divisor = -1;
  if (p.divisor != 0) {
    divisor = kernel->number(static_cast<int64_t>(p.divisor));
  } else if (!p.counts_padding && inside >= 0) {
    return b.emit(Prim::kDiv, type, total, b.emit(Prim::kSum, type, b.cast(inside, type)));
  } else {
    divisor = window_size(graph, p, kernel);
  }
  return b.emit(Prim::kDiv, type, total, b.cast(divisor, type));
}

}  // namespace torchweld
