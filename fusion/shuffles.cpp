#include "fusion/shuffles.h"

#include <utility>

#include "fusion/node_args.h"
#include "fusion/rewriter.h"

namespace torchweld {
namespace {

/// What is copied, and where to: the operand and the result, with dims split until they agree.
struct Views {
  Value from, to;
};

/// Nullopt unless the node makes a dense tensor of its own, of the operand's type.
std::optional<Views> views_of(const Graph& graph, const Node& node) {
  const ValueId x = tensor_arg(node, 0);
  if (!node.pure || x == kNone || node.outputs.size() != 1 || node.outputs[0] == kNone)
    return std::nullopt;
  Views v{graph.value(x), graph.value(node.outputs[0])};
  if (v.from.opaque || v.to.opaque || v.from.dtype == DType::kOther || v.from.dtype != v.to.dtype ||
      v.to.elements() == 0 || v.to.offset != 0 || !is_dense(v.to) ||
      graph.storage_of(node.outputs[0]).kind != Storage::Kind::kLocal)
    return std::nullopt;
  return v;
}

std::vector<Node> copy(Graph* graph, const Node& node, Views v) {
  v.from.has_scalar = v.to.has_scalar = false;
  const ValueId in = graph->add(std::move(v.from)), out = graph->add(std::move(v.to));
  Rewriter r(graph, node);
  r.call("aten::clone", {tensor(in), {int64_t{0}}}, out);
  return r.take();
}

/// A dim as an outer and an inner one.
void split(Value* v, size_t dim, int64_t outer, int64_t inner) {
  const auto at = static_cast<std::ptrdiff_t>(dim);
  const int64_t stride = v->strides[dim];
  v->sizes[dim] = outer;
  v->strides[dim] = stride * inner;
  v->sizes.insert(v->sizes.begin() + at + 1, inner);
  v->strides.insert(v->strides.begin() + at + 1, stride);
}

void exchange(Value* v, size_t a, size_t b) {
  std::swap(v->sizes[a], v->sizes[b]);
  std::swap(v->strides[a], v->strides[b]);
}

/// A block of pixels is rows and columns of one image, or that many channels of a smaller one.
std::optional<std::vector<Node>> pixels(Graph* graph, const Node& node, bool shuffles) {
  const auto factor = int_arg(node, 1);
  auto views = views_of(*graph, node);
  if (!views || !factor) return std::nullopt;
  const int64_t f = *factor;
  Value& small = shuffles ? views->from : views->to;
  Value& large = shuffles ? views->to : views->from;
  const size_t c = small.sizes.size() - 3;
  const int64_t height = small.sizes[c + 1], width = small.sizes[c + 2];
  const int64_t channels = large.sizes[c];
  // [channels, f, f, height, width]
  split(&small, c, channels, f * f);
  split(&small, c + 1, f, f);
  // [channels, height, f, width, f]
  split(&large, c + 2, width, f);
  split(&large, c + 1, height, f);
  // In the order of the result's memory.
  if (shuffles) {
    exchange(&small, c + 1, c + 3);
    exchange(&small, c + 2, c + 3);
    exchange(&small, c + 3, c + 4);
  } else {
    exchange(&large, c + 3, c + 4);
    exchange(&large, c + 2, c + 3);
    exchange(&large, c + 1, c + 3);
  }
  return copy(graph, node, std::move(*views));
}

std::optional<std::vector<Node>> channels(Graph* graph, const Node& node) {
  const auto groups = int_arg(node, 1);
  auto views = views_of(*graph, node);
  if (!views || !groups || views->from.sizes.size() < 2) return std::nullopt;
  const int64_t each = views->from.sizes[1] / *groups;
  split(&views->from, 1, *groups, each);
  exchange(&views->from, 1, 2);
  split(&views->to, 1, each, *groups);
  return copy(graph, node, std::move(*views));
}

std::optional<std::vector<Node>> interleaved(Graph* graph, const Node& node) {
  const auto repeats = int_arg(node, 1);
  auto views = views_of(*graph, node);
  if (!views || !repeats || views->from.sizes.empty()) return std::nullopt;
  const auto dim = dim_arg(node, 2, views->from.sizes.size());
  if (!dim) return std::nullopt;
  const auto behind = static_cast<std::ptrdiff_t>(*dim) + 1;
  split(&views->to, *dim, views->from.sizes[*dim], *repeats);
  views->from.sizes.insert(views->from.sizes.begin() + behind, *repeats);
  views->from.strides.insert(views->from.strides.begin() + behind, 0);
  return copy(graph, node, std::move(*views));
}

/// repeat and tile: a dim of one element is the result's, others become two.
std::optional<std::vector<Node>> repeated(Graph* graph, const Node& node) {
  const Arg::Ints* repeats = ints_arg(node, 1);
  auto views = views_of(*graph, node);
  if (!views || repeats == nullptr) return std::nullopt;
  Value &from = views->from, &to = views->to;
  const size_t missing = to.sizes.size() - from.sizes.size();
  from.sizes.insert(from.sizes.begin(), missing, 1);
  from.strides.insert(from.strides.begin(), missing, 0);
  for (size_t d = from.sizes.size(); d-- > 0;) {
    const int64_t each = from.sizes[d], times = to.sizes[d] / each;
    if (times == 1) continue;
    if (each == 1) {
      from.sizes[d] = times;
      from.strides[d] = 0;
      continue;
    }
    split(&to, d, times, each);
    from.sizes.insert(from.sizes.begin() + static_cast<std::ptrdiff_t>(d), times);
    from.strides.insert(from.strides.begin() + static_cast<std::ptrdiff_t>(d), 0);
  }
  return copy(graph, node, std::move(*views));
}

}  // namespace

std::optional<std::vector<Node>> shuffle_nodes(Graph* graph, const Node& node) {
  if (node.op == "aten::pixel_shuffle") return pixels(graph, node, true);
  if (node.op == "aten::pixel_unshuffle") return pixels(graph, node, false);
  if (node.op == "aten::channel_shuffle" || node.op == "aten::native_channel_shuffle")
    return channels(graph, node);
  return std::nullopt;
}

std::optional<std::vector<Node>> repeat_nodes(Graph* graph, const Node& node) {
  if (node.op == "aten::repeat_interleave.self_int") return interleaved(graph, node);
  if (node.op == "aten::repeat" || node.op == "aten::tile") return repeated(graph, node);
  return std::nullopt;
}

}  // namespace torchweld
