#include "fusion/conv_args.h"

#include "fusion/node_args.h"

namespace torchweld {
namespace {

bool read_ints(const Node& node, size_t i, size_t count, std::vector<int64_t>* out) {
  const Arg::Ints* list = ints_arg(node, i);
  if (list == nullptr || list->empty() || list->size() > count) return false;
  *out = *list;
  out->resize(count, list->front());
  return true;
}

}  // namespace

std::optional<ConvArgs> conv_args(const Node& node, size_t dims) {
  const bool general = node.op == "aten::_convolution" || node.op == "aten::convolution";
  if (!general && node.op != "aten::conv1d" && node.op != "aten::conv2d") return std::nullopt;
  const auto groups = int_arg(node, general ? 8 : 6);
  ConvArgs args;
  if (!groups || (general && flag_arg(node, 6)) || !read_ints(node, 3, dims, &args.stride) ||
      !read_ints(node, 4, dims, &args.padding) || !read_ints(node, 5, dims, &args.dilation))
    return std::nullopt;
  args.groups = *groups;
  return args;
}

}  // namespace torchweld
