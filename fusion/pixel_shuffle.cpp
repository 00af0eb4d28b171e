#include "fusion/pixel_shuffle.h"

#include "fusion/node_args.h"
#include "fusion/rewriter.h"

namespace torchweld {

std::optional<std::vector<Node>> pixel_shuffle_nodes(Graph* graph, const Node& node) {
  const bool shuffles = node.op == "aten::pixel_shuffle";
  if ((!shuffles && node.op != "aten::pixel_unshuffle") || !node.pure) return std::nullopt;
  const ValueId x = tensor_arg(node, 0);
  const auto factor = int_arg(node, 1);
  if (x == kNone || !factor || node.outputs.size() != 1 || node.outputs[0] == kNone)
    return std::nullopt;
  Value from = graph->value(x), to = graph->value(node.outputs[0]);
  if (from.opaque || to.opaque || from.dtype == DType::kOther || from.dtype != to.dtype ||
      to.elements() == 0 || to.offset != 0 || to.strides != contiguous_strides(to.sizes) ||
      graph->storage_of(node.outputs[0]).kind != Storage::Kind::kLocal)
    return std::nullopt;
  // A block of pixels is rows and columns of one image, or that many channels of a smaller one.
  Value& small = shuffles ? from : to;
  Value& large = shuffles ? to : from;
  const int64_t f = *factor;
  const size_t batch = small.sizes.size() - 3;
  const int64_t height = small.sizes[batch + 1], width = small.sizes[batch + 2];
  const auto split = [batch](Value* v, std::vector<int64_t> sizes, std::vector<int64_t> strides) {
    v->sizes.resize(batch);
    v->strides.resize(batch);
    v->sizes.insert(v->sizes.end(), sizes.begin(), sizes.end());
    v->strides.insert(v->strides.end(), strides.begin(), strides.end());
    v->has_scalar = false;
  };
  const int64_t channels = large.sizes[batch];
  const int64_t sc = small.strides[batch], sh = small.strides[batch + 1];
  const int64_t sw = small.strides[batch + 2];
  const int64_t lc = large.strides[batch], lh = large.strides[batch + 1];
  const int64_t lw = large.strides[batch + 2];
  const std::vector<int64_t> sizes = shuffles ? std::vector{channels, height, f, width, f}
                                              : std::vector{channels, f, f, height, width};
  if (shuffles) {
    split(&small, sizes, {sc * f * f, sh, sc * f, sw, sc});
    split(&large, sizes, {lc, lh * f, lh, lw * f, lw});
  } else {
    split(&small, sizes, {sc * f * f, sc * f, sc, sh, sw});
    split(&large, sizes, {lc, lh, lw, lh * f, lw * f});
  }
  const ValueId in = graph->add(std::move(from)), out = graph->add(std::move(to));
  Rewriter r(graph, node);
  r.call("aten::clone", {tensor(in), {int64_t{0}}}, out);
  return r.take();
}

}  // namespace torchweld
