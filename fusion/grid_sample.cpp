#include "fusion/grid_sample.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "fusion/node_args.h"

namespace torchweld {
namespace {

bool is_image(const Value& v) { return v.sizes.size() == 4 && !v.opaque && v.dtype == DType::kF32; }

/// Rows that follow each other in memory, in the grid and in the result, are one row.
void join_rows(x86::GridSampleShape* s) {
  if (s->grid_strides[1] != s->cols * s->grid_strides[2] ||
      s->out_strides[2] != s->cols * s->out_strides[3])
    return;
  s->cols *= s->rows;
  s->rows = 1;
}

}  // namespace

bool make_grid_sample(const Graph& graph, const Node& node, GridSampleCall* call) {
  const bool named = node.op == "aten::grid_sampler" || node.op == "aten::grid_sampler_2d";
  if (!named || !node.pure || node.outputs.size() != 1 || node.outputs[0] == kNone) return false;
  call->image_value = tensor_arg(node, 0);
  call->grid_value = tensor_arg(node, 1);
  call->out_value = node.outputs[0];
  const auto mode = int_arg(node, 2), padding = int_arg(node, 3);
  if (call->image_value == kNone || call->grid_value == kNone || !mode || !padding) return false;
  const Value& image = graph.value(call->image_value);
  const Value& grid = graph.value(call->grid_value);
  const Value& out = graph.value(call->out_value);
  if (!is_image(image) || !is_image(grid) || !is_image(out)) return false;
  if (*mode < 0 || *mode > 1 || *padding < 0 || *padding > 2 || image.elements() == 0) return false;
  const int64_t extent =
      (image.sizes[2] - 1) * image.strides[2] + (image.sizes[3] - 1) * image.strides[3];
  constexpr int64_t kMostOffset = std::numeric_limits<int32_t>::max();
  constexpr int64_t kMostPlace = 1 << 24;  // floats beyond are not all whole numbers
  if (extent > kMostOffset || image.strides[2] > kMostOffset || image.strides[3] > kMostOffset ||
      std::max(image.sizes[2], image.sizes[3]) > kMostPlace)
    return false;
  x86::GridSampleShape& s = call->shape;
  s.nearest = *mode == 1;
  s.outside = static_cast<x86::Outside>(*padding);
  s.from_centres = flag_arg(node, 4);
  s.images = out.sizes[0];
  s.channels = out.sizes[1];
  s.height = image.sizes[2];
  s.width = image.sizes[3];
  s.rows = out.sizes[2];
  s.cols = out.sizes[3];
  std::copy(image.strides.begin(), image.strides.end(), s.image_strides.begin());
  std::copy(grid.strides.begin(), grid.strides.end(), s.grid_strides.begin());
  std::copy(out.strides.begin(), out.strides.end(), s.out_strides.begin());
  join_rows(&s);
  return true;
}

std::string name_of_step(const GridSampleCall& call) {
  const x86::GridSampleShape& s = call.shape;
  return fmt::format("{}_sample_{}x{}x{}", s.nearest ? "nearest" : "bilinear", s.images, s.channels,
                     s.rows * s.cols);
}

}  // namespace torchweld
