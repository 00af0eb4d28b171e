#include "fusion/regions.h"

#include <fmt/format.h>

#include <algorithm>

#include "fusion/node_args.h"
#include "kernels/cuda/regions.h"

namespace torchweld {
namespace {

constexpr size_t kAlignArguments = 7, kPoolArguments = 5;

bool is_dense_result(const Graph& graph, ValueId id, DType dtype) {
  const Value& v = graph.value(id);
  return !v.opaque && v.dtype == dtype && v.strides == contiguous_strides(v.sizes);
}

bool set_values(const Graph& graph, const Node& node, RegionsCall* call) {
  call->images_value = tensor_arg(node, 0);
  call->regions_value = tensor_arg(node, 1);
  call->out_value = node.outputs.empty() ? kNone : node.outputs[0];
  call->places_value = node.outputs.size() < 2 ? kNone : node.outputs[1];
  if (call->images_value == kNone || call->regions_value == kNone || call->out_value == kNone)
    return false;
  const Value& images = graph.value(call->images_value);
  const Value& regions = graph.value(call->regions_value);
  const bool places =
      call->places_value == kNone || is_dense_result(graph, call->places_value, DType::kI32);
  return !images.opaque && !regions.opaque && images.sizes.size() == 4 &&
         regions.sizes.size() == 2 && regions.sizes[1] == 5 && regions.dtype == images.dtype &&
         places && is_dense_result(graph, call->out_value, images.dtype);
}

bool set_options(const Node& node, RegionShape* s) {
  const auto scale = number_arg(node, 2);
  const auto height = int_arg(node, 3), width = int_arg(node, 4);
  if (!scale || !height || !width) return false;
  s->scale = *scale;
  s->out_height = *height;
  s->out_width = *width;
  if (s->mode == RegionMode::kPool) return node.args.size() == kPoolArguments;
  const auto sampling = int_arg(node, 5);
  s->sampling = sampling.value_or(0);
  s->aligned = flag_arg(node, 6);
  return sampling && node.args.size() == kAlignArguments;
}

}  // namespace

bool make_regions(const Graph& graph, const Node& node, RegionsCall* call, std::string* why) {
  RegionShape& s = call->shape;
  if (node.op == "torchvision::roi_pool") {
    s.mode = RegionMode::kPool;
  } else if (node.op != "torchvision::roi_align") {
    return false;
  }
  *why = "an operand is no tensor of the images' dtype";
  if (!set_values(graph, node, call) || !set_options(node, &s)) return false;
  const Value& images = graph.value(call->images_value);
  const Value& regions = graph.value(call->regions_value);
  s.dtype = images.dtype;
  s.images = images.sizes[0];
  s.channels = images.sizes[1];
  s.height = images.sizes[2];
  s.width = images.sizes[3];
  std::copy(images.strides.begin(), images.strides.end(), s.image_strides.begin());
  s.regions = regions.sizes[0];
  std::copy(regions.strides.begin(), regions.strides.end(), s.region_strides.begin());
  return cuda::Regions::accepts(s, why);
}

std::string name_of_step(const RegionsCall& call) {
  const RegionShape& s = call.shape;
  return fmt::format("roi_{}_{}x{}x{}x{}_{}", s.mode == RegionMode::kAlign ? "align" : "pool",
                     s.regions, s.channels, s.out_height, s.out_width, name_of(s.dtype));
}

}  // namespace torchweld
