#include "fusion/conv_args.h"

#include "fusion/image_conv.h"
#include "fusion/node_args.h"

namespace torchweld {
namespace {

/// Of a volume: a slice whose filter sees one pixel of it is a row, and so is all of the volume
/// whose filter sees one voxel.
void join_rows(x86::ConvShape* s) {
  const bool by_pixel = s->kernel_height == 1 && s->kernel_width == 1 && s->stride_height == 1 &&
                        s->stride_width == 1 && s->pad_height == 0 && s->pad_width == 0;
  if (!by_pixel || s->x_height_stride != s->in_width * s->x_width_stride) return;
  s->in_width *= s->in_height;
  s->out_width *= s->out_height;
  s->in_height = s->out_height = s->dilation_height = 1;
  s->x_height_stride = s->in_width * s->x_width_stride;
  if (s->kernel_depth != 1 || s->stride_depth != 1 || s->pad_depth != 0 ||
      s->x_depth_stride != s->x_height_stride)
    return;
  s->in_width *= s->in_depth;
  s->out_width *= s->out_depth;
  s->in_depth = s->out_depth = s->dilation_depth = 1;
  s->x_height_stride = s->in_width * s->x_width_stride;
}

}  // namespace

bool read_ints(const Node& node, size_t i, size_t count, std::vector<int64_t>* out) {
  const Arg::Ints* list = ints_arg(node, i);
  if (list == nullptr || list->empty() || list->size() > count) return false;
  *out = *list;
  out->resize(count, list->front());
  return true;
}

std::optional<ConvArgs> conv_args(const Node& node, size_t dims) {
  const bool general = node.op == "aten::_convolution" || node.op == "aten::convolution";
  const bool volumes = node.op == "aten::conv3d" && dims == 3;
  if (!general && !volumes && node.op != "aten::conv1d" && node.op != "aten::conv2d" &&
      node.op != kImageConv)
    return std::nullopt;
  const auto groups = int_arg(node, general ? 8 : 6);
  ConvArgs args;
  if (!groups || (general && flag_arg(node, 6)) || !read_ints(node, 3, dims, &args.stride) ||
      !read_ints(node, 4, dims, &args.padding) || !read_ints(node, 5, dims, &args.dilation))
    return std::nullopt;
  args.groups = *groups;
  return args;
}

x86::ConvShape conv_shape(const Value& x, const Value& w, const Value& y, const ConvArgs& args) {
  x86::ConvShape s;
  const size_t last = x.sizes.size() - 1, dims = last - 1;
  s.batch = x.sizes[0];
  s.in_channels = x.sizes[1];
  s.in_width = x.sizes[last];
  s.out_channels = y.sizes[1];
  s.out_width = y.sizes[last];
  s.kernel_width = w.sizes[last];
  s.stride_width = args.stride[dims - 1];
  s.pad_width = args.padding[dims - 1];
  s.dilation_width = args.dilation[dims - 1];
  s.x_batch_stride = x.strides[0];
  s.x_channel_stride = x.strides[1];
  s.x_width_stride = x.strides[last];
  s.x_height_stride = s.in_width * s.x_width_stride;
  if (dims == 1) return s;
  s.in_height = x.sizes[last - 1];
  s.out_height = y.sizes[last - 1];
  s.kernel_height = w.sizes[last - 1];
  s.stride_height = args.stride[dims - 2];
  s.pad_height = args.padding[dims - 2];
  s.dilation_height = args.dilation[dims - 2];
  s.x_height_stride = x.strides[last - 1];
  if (dims == 2) return s;
  s.in_depth = x.sizes[2];
  s.out_depth = y.sizes[2];
  s.kernel_depth = w.sizes[2];
  s.stride_depth = args.stride[0];
  s.pad_depth = args.padding[0];
  s.dilation_depth = args.dilation[0];
  s.x_depth_stride = x.strides[2];
  join_rows(&s);
  return s;
}

}  // namespace torchweld
