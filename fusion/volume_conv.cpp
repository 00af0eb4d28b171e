#include "fusion/volume_conv.h"

#include <optional>
#include <utility>

#include "fusion/conv_args.h"
#include "fusion/image_conv.h"
#include "fusion/node_args.h"
#include "kernels/x86/conv_pieces.h"
#include "kernels/x86/transposed_conv.h"

namespace torchweld {
namespace {

constexpr size_t kVolumeDims = 3;

bool is_plain(const Value& v) {
  return v.dtype == DType::kF32 && !v.opaque && v.sizes.size() == kVolumeDims + 2 &&
         v.elements() > 0 && v.strides == contiguous_strides(v.sizes);
}

bool is_of_one_voxel(const Value& weight) {
  return weight.elements() == weight.sizes[0] * weight.sizes[1];
}

std::optional<ConvArgs> volume_conv_args(const Graph& graph, const Node& node) {
  const auto args = conv_args(node, kVolumeDims);
  if (!args || node.op == kImageConv || !node.pure || node.outputs.size() != 1 ||
      node.outputs[0] == kNone)
    return std::nullopt;
  const ValueId x = tensor_arg(node, 0), weight = tensor_arg(node, 1);
  const bool takes = x != kNone && weight != kNone && is_plain(graph.value(x)) &&
                     is_plain(graph.value(weight)) && is_plain(graph.value(node.outputs[0])) &&
                     !is_of_one_voxel(graph.value(weight));
  return takes ? args : std::nullopt;
}

}  // namespace

bool takes_volume(const Value& x, const Value& weight, const Value& y, const ConvArgs& args,
                  bool transposed) {
  constexpr int64_t kMostApart = int64_t{1} << 30;
  if (weight.sizes.size() != x.sizes.size() || x.elements() == 0) return false;
  int64_t floats = x.sizes[1];  // of a padded slice
  for (const size_t d : {1, 2}) floats *= x.sizes[d + 2] + 2 * args.padding[d];
  if (floats * weight.sizes[2] * args.dilation[0] >= kMostApart || extent_bytes(x) >= kMostApart)
    return false;
  const x86::ConvShape s = conv_shape(x, weight, y, args);
  if (transposed) return x86::sees_slices(s);
  for (int64_t slice = 0; slice < s.out_depth; ++slice) {
    if (x86::seen_slices(s, slice).count == 0) return false;
  }
  return true;
}

void use_volume_convolutions(Graph* graph, const Target& target) {
  if (!target.packed_convolutions) return;
  for (Node& node : graph->nodes) {
    const auto args = volume_conv_args(*graph, node);
    if (!args) continue;
    node.op = kDnnConvolution;
    node.args = {node.args[0],   node.args[1],     node.args[2],  {args->padding},
                 {args->stride}, {args->dilation}, {args->groups}};
  }
}

}  // namespace torchweld
