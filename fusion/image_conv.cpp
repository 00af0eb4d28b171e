#include "fusion/image_conv.h"

#include <algorithm>
#include <optional>

#include "fusion/conv_args.h"
#include "fusion/host_epilogue.h"
#include "fusion/node_args.h"
#include "fusion/pooling.h"
#include "fusion/transposed_conv.h"
#include "kernels/x86/few_filters.h"
#include "kernels/x86/summation_order.h"
#include "kernels/x86/winograd.h"

namespace torchweld {
namespace {

// A group of fewer leaves most of a vector idle: oneDNN's code is faster.
constexpr int64_t kFewestGroupColumns = 8;

// Products of a deep filter that are summed by themselves: all of them are thousands.
constexpr int64_t kDeepPiece = 256;

/// The stride from one tap of a filter to the next; nullopt where they are no single walk.
std::optional<int64_t> tap_stride(const Value& weight) {
  int64_t taps = 1, stride = weight.strides.back();
  for (size_t d = weight.sizes.size(); d-- > 2;) {
    if (weight.sizes[d] == 1) continue;
    if (taps == 1) stride = weight.strides[d];
    if (weight.strides[d] != taps * stride) return std::nullopt;
    taps *= weight.sizes[d];
  }
  return stride;
}

bool make_convolution(const Graph& graph, const Node& node, const Target& target, ImageConv* out) {
  if (node.op != kImageConv) return false;
  const auto args = conv_args(node, graph.value(tensor_arg(node, 0)).sizes.size() - 2);
  if (!args) return false;
  out->x_value = tensor_arg(node, 0);
  out->weight = tensor_arg(node, 1);
  out->bias_value = tensor_arg(node, 2);
  out->scale_value = tensor_arg(node, 7);
  const Value& w = graph.value(out->weight);
  x86::ConvShape& s = out->shape;
  s = conv_shape(graph.value(out->x_value), w, graph.value(node.outputs[0]), *args);
  const bool depthwise = args->groups != 1 && w.sizes[1] == 1;
  if (depthwise) {
    s.op = x86::ImageOp::kDepthwise;
  } else {
    s.groups = args->groups;
    // Exact sums have LibTorch's order.
    if (target.rounding != Rounding::kExact) s.op = x86::op_of_dense(s, target.reassociates);
  }
  out->weight_layout = {s.taps(), w.sizes[0], *tap_stride(w), w.strides[0]};
  if (!depthwise) {
    const bool deep = s.kernel_depth > 1;
    s.order = deep ? x86::SummationOrder{.piece = kDeepPiece,
                                         .split = x86::SummationOrder::Split::kPieces}
                   : x86::libtorch_order(s, target.threads);
    out->weight_layout.inner = w.sizes[1];
    out->weight_layout.stride_inner = w.strides[1];
    if (s.op != x86::ImageOp::kConvolution) {
      out->weight_layout.panel = 1;
    } else if (!deep) {
      out->weight_layout.piece = s.order.piece;
    }
    if (target.reassociates && x86::is_winograd_faster(s, target.threads))
      out->winograd_pieces = x86::winograd_pieces(s, target.threads);
  }
  return true;
}

bool make_transposed(const Graph& graph, const Node& node, const Target& target, ImageConv* out) {
  const auto args = transposed_args(graph, node);
  if (node.op != kTransposedConv || !args) return false;
  out->x_value = tensor_arg(node, 0);
  out->weight = tensor_arg(node, 1);
  out->bias_value = tensor_arg(node, 2);
  out->scale_value = tensor_arg(node, 8);
  x86::ConvShape& s = out->shape;
  s = conv_shape(graph.value(out->x_value), filter_of(graph, node), graph.value(node.outputs[0]),
                 *args);
  s.op = x86::ImageOp::kTransposed;
  out->weight_layout = {s.taps(), s.out_channels, s.out_channels, 1};
  const int64_t phases = s.stride_depth * s.stride_height * s.stride_width;
  const bool few =
      x86::are_few_filters(s.out_channels, s.taps() / phases, s.in_channels, target.reassociates);
  if (target.rounding != Rounding::kExact && few) out->weight_layout.panel = 1;
  return true;
}

/// Whether images lie as the kernel's results do.
bool is_channels_last(const Value& v) {
  if (v.sizes.size() < 3 || v.sizes.size() > 5 || v.opaque || v.dtype != DType::kF32 ||
      v.elements() == 0)
    return false;
  const std::vector<int64_t> strides = channels_last_strides(v.sizes);
  for (size_t d = 0; d < strides.size(); ++d) {
    if (v.sizes[d] != 1 && v.strides[d] != strides[d]) return false;
  }
  return true;
}

bool make_pooling(const Graph& graph, const Node& node, ImageConv* out) {
  const auto pooling = pooling_of(graph, node);
  if (!pooling || !pooling->by_steps || pooling->divisor != 0) return false;
  const Value& x = graph.value(pooling->source);
  const Value& y = graph.value(node.outputs[0]);
  if (!is_channels_last(x) || !is_channels_last(y) || pooling->steps.size() + 2 != x.sizes.size() ||
      x.sizes[0] * x.sizes[1] == x.elements())  // of one pixel: any layout is both
    return false;
  // One channel fills no vector; pixels side by side do (window_pool.h).
  const auto& spreads = pooling->spreads;
  if (x.sizes[1] == 1 && std::count(spreads.begin(), spreads.end(), 1) == std::ssize(spreads))
    return false;
  ConvArgs args;
  args.stride = pooling->steps;
  args.padding = pooling->before;
  args.dilation = pooling->spreads;
  Value window;
  window.sizes = {1, 1};
  const auto& sizes = pooling->domain.sizes;
  window.sizes.insert(window.sizes.end(), sizes.end() - std::ssize(args.stride), sizes.end());
  out->x_value = pooling->source;
  out->shape = conv_shape(x, window, y, args);
  out->shape.op = pooling->averages ? x86::ImageOp::kAveragePool : x86::ImageOp::kMaxPool;
  out->shape.counts_padding = pooling->counts_padding;
  return true;
}

}  // namespace

std::vector<int64_t> channels_last_strides(const std::vector<int64_t>& sizes) {
  std::vector<int64_t> strides = contiguous_strides(sizes);
  for (size_t d = 2; d < sizes.size(); ++d) strides[d] *= sizes[1];
  strides[1] = 1;
  return strides;
}

bool takes_image_conv(const Value& weight, int64_t groups, int64_t in_channels) {
  const bool depthwise = groups == in_channels && weight.sizes[0] == groups;
  const bool wide = weight.sizes[1] > 1 && weight.sizes[0] / groups >= kFewestGroupColumns;
  return (groups == 1 || depthwise || wide) && is_dense(weight) && tap_stride(weight).has_value();
}

bool is_pooling_by_hand(const Graph& graph, const Node& node, const Target& target) {
  ImageConv pooling;
  return target.hand_kernels && node.pure && node.outputs.size() == 1 && node.outputs[0] != kNone &&
         make_pooling(graph, node, &pooling);
}

bool make_image_conv(const Graph& graph, const std::vector<NodeId>& nodes, const Target& target,
                     ImageConv* out) {
  const auto at = [&](NodeId n) -> const Node& { return graph.nodes[static_cast<size_t>(n)]; };
  const Node& node = at(nodes[0]);
  if (!target.hand_kernels || !node.pure || node.outputs.size() != 1 || node.outputs[0] == kNone)
    return false;
  if (!make_convolution(graph, node, target, out) && !make_transposed(graph, node, target, out) &&
      !make_pooling(graph, node, out))
    return false;
  out->out_value = node.outputs[0];
  return std::all_of(nodes.begin() + 1, nodes.end(),
                     [&](NodeId n) { return add_epilogue(graph, at(n), out); });
}

bool add_epilogue(const Graph& graph, const Node& node, ImageConv* conv) {
  const auto takes = [&](ValueId summand) {
    return graph.value(summand).strides == graph.value(conv->out_value).strides;
  };
  return add_host_epilogue(graph, node, takes, conv);
}

}  // namespace torchweld
