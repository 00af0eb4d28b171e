#include "fusion/volume_conv.h"

#include <optional>
#include <utility>

#include "fusion/conv_args.h"
#include "fusion/node_args.h"

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
  if (!args || !node.pure || node.outputs.size() != 1 || node.outputs[0] == kNone)
    return std::nullopt;
  const ValueId x = tensor_arg(node, 0), weight = tensor_arg(node, 1);
  const bool takes = x != kNone && weight != kNone && is_plain(graph.value(x)) &&
                     is_plain(graph.value(weight)) && is_plain(graph.value(node.outputs[0])) &&
                     !is_of_one_voxel(graph.value(weight));
  return takes ? args : std::nullopt;
}

}  // namespace

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
