#include "fusion/conv_args.h"

#include "fusion/image_conv.h"
#include "fusion/node_args.h"

namespace torchweld {

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
  const size_t last = x.sizes.size() - 1, outer = last == 3 ? 1 : 0;
  s.batch = x.sizes[0];
  s.in_channels = x.sizes[1];
  s.in_width = x.sizes[last];
  s.out_channels = y.sizes[1];
  s.out_width = y.sizes[last];
  s.kernel_width = w.sizes[last];
  s.stride_width = args.stride[outer];
  s.pad_width = args.padding[outer];
  s.dilation_width = args.dilation[outer];
  s.x_batch_stride = x.strides[0];
  s.x_channel_stride = x.strides[1];
  s.x_width_stride = x.strides[last];
  s.x_height_stride = s.in_width * s.x_width_stride;
  if (outer == 0) return s;
  s.in_height = x.sizes[2];
  s.out_height = y.sizes[2];
  s.kernel_height = w.sizes[2];
  s.stride_height = args.stride[0];
  s.pad_height = args.padding[0];
  s.dilation_height = args.dilation[0];
  s.x_height_stride = x.strides[2];
  return s;
}

}  // namespace torchweld
