#include "fusion/grid_sample.h"

#include <fmt/format.h>

#include "fusion/merged_dims.h"
#include "fusion/node_args.h"

namespace torchweld {
namespace {

using x86::GridSample;

/// Dims before an image's own: images and channels.
constexpr size_t kOuter = 2;

bool fill(const Node& node, GridSampleCall* call) {
  if (node.op != "aten::grid_sampler" && node.op != "aten::grid_sampler_2d" &&
      node.op != "aten::grid_sampler_3d")
    return false;
  const auto mode = int_arg(node, 2), padding = int_arg(node, 3);
  if (!mode || *mode < 0 || *mode > 2 || !padding || *padding < 0 || *padding > 2) return false;
  call->x_value = tensor_arg(node, 0);
  call->grid_value = tensor_arg(node, 1);
  call->out_value = node.outputs.size() == 1 ? node.outputs[0] : kNone;
  call->sample.mode = static_cast<x86::Interpolation>(*mode);
  call->sample.padding = static_cast<x86::GridPadding>(*padding);
  call->sample.align_corners = flag_arg(node, 4);
  return call->x_value != kNone && call->grid_value != kNone && call->out_value != kNone;
}

bool shapes_match(const Value& x, const Value& grid, const Value& out) {
  if (x.opaque || grid.opaque || out.opaque) return false;
  const size_t rank = x.sizes.size(), dims = rank - kOuter;
  if (rank < 4 || rank > 5 || grid.sizes.size() != rank || out.sizes.size() != rank) return false;
  bool match = grid.sizes[0] == x.sizes[0] && grid.sizes.back() == static_cast<int64_t>(dims);
  match &= out.sizes[0] == x.sizes[0] && out.sizes[1] == x.sizes[1];
  for (size_t d = 0; d < dims; ++d) {
    match &= x.sizes[kOuter + d] > 0;
    match &= out.sizes[kOuter + d] == grid.sizes[1 + d];
  }
  return match && (x.dtype == DType::kF32 || x.dtype == DType::kF64) && grid.dtype == x.dtype &&
         out.dtype == x.dtype;
}

bool lay_out(const Value& x, const Value& grid, const Value& out, GridSample* s) {
  s->dtype = x.dtype;
  s->dims = x.sizes.size() - kOuter;
  if (s->dims == 3 && s->mode == x86::Interpolation::kBicubic) return false;
  s->images = x.sizes[0];
  s->channels = x.sizes[1];
  int64_t reach = 0;
  MergedDims<1> pixels;
  for (size_t d = 0; d < s->dims; ++d) {
    const size_t in_x = x.sizes.size() - 1 - d, in_grid = grid.sizes.size() - 2 - d;
    s->x_sizes[d] = x.sizes[in_x];
    s->x_strides[d] = x.strides[in_x];
    s->grid_sizes[d] = grid.sizes[in_grid];
    s->grid_strides[d] = grid.strides[in_grid];
    reach += (x.sizes[in_x] - 1) * x.strides[in_x];
    pixels.add(out.sizes[kOuter + d], {out.strides[kOuter + d]});
  }
  if (reach > INT32_MAX || pixels.dims().size() > 1) return false;
  s->x_image = x.strides[0];
  s->x_channel = x.strides[1];
  s->grid_image = grid.strides[0];
  s->grid_coordinate = grid.strides.back();
  s->out_image = out.strides[0];
  s->out_channel = out.strides[1];
  s->out_pixel = pixels.dims().empty() ? 1 : pixels.dims()[0].strides[0];
  return true;
}

}  // namespace

bool make_grid_sample(const Graph& graph, const Node& node, GridSampleCall* out) {
  GridSampleCall call;
  if (!fill(node, &call)) return false;
  const Value& x = graph.value(call.x_value);
  const Value& grid = graph.value(call.grid_value);
  const Value& made = graph.value(call.out_value);
  if (!shapes_match(x, grid, made) || !lay_out(x, grid, made, &call.sample)) return false;
  *out = call;
  return true;
}

std::string name_of_step(const GridSampleCall& call) {
  static constexpr const char* kModes[] = {"bilinear", "nearest", "bicubic"};
  const GridSample& s = call.sample;
  return fmt::format("{}_sample_{}x{}_{}", kModes[static_cast<size_t>(s.mode)],
                     s.images * s.channels, s.pixels(), name_of(s.dtype));
}

}  // namespace torchweld
