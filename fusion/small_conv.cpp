#include "fusion/small_conv.h"

#include <algorithm>

#include "fusion/conv_args.h"

namespace torchweld {
namespace {

constexpr int64_t kMostPositions = 8;

}  // namespace

bool make_small_conv(const Graph& graph, const Node& node, SmallConv* out) {
  if (node.args.size() < 7 || node.args[0].tensor() == nullptr || node.args[1].tensor() == nullptr)
    return false;
  const Value& x = graph.value(node.args[0].tensor()->id);
  const Value& w = graph.value(node.args[1].tensor()->id);
  const size_t rank = x.sizes.size();
  if (rank != 3 && rank != 4) return false;
  const auto args = conv_args(node, rank - 2);
  if (!args || args->groups != 1) return false;
  const Value& y = graph.value(node.outputs[0]);
  if (x.dtype != DType::kF32 || w.dtype != DType::kF32 || y.dtype != DType::kF32 ||
      x.elements() == 0)
    return false;
  if (graph.storage_of(node.args[1].tensor()->id).kind != Storage::Kind::kConstant) return false;
  if (y.strides != contiguous_strides(y.sizes) || w.sizes.size() != rank) return false;
  out->shape = conv_shape(x, w, y, *args);
  if (out->shape.positions() > kMostPositions || out->shape.positions() == 0) return false;
  // Rows of the packed matrix are the taps: the weight's trailing dimensions have to be one walk.
  int64_t step = 1;
  for (size_t d = rank - 1; d > 0; --d) {
    if (w.sizes[d] != 1 && w.strides[d] != step) return false;
    step *= w.sizes[d];
  }
  out->weight = node.args[1].tensor()->id;
  out->weight_row_stride = w.strides[0];
  const auto* bias = node.args[2].tensor();
  out->has_bias = bias != nullptr && bias->id != kNone;
  if (!out->has_bias) return true;
  const Value& b = graph.value(bias->id);
  return b.dtype == DType::kF32 && b.sizes.size() == 1 && (b.strides[0] == 1 || b.sizes[0] == 1);
}

}  // namespace torchweld
