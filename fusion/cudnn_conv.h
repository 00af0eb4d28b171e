// Convolutions of images on CUDA: relu in cuDNN's own operator, and the layout that its tensor-core
// kernels have.
#pragma once

#include "fusion/planner.h"
#include "loader/graph.h"

namespace torchweld {

/// LibTorch's operators: (x, weight, bias, stride, padding, dilation, groups), and (x, weight,
/// summand, its factor, bias, ...).
inline constexpr const char* kCudnnRelu = "aten::cudnn_convolution_relu";
inline constexpr const char* kCudnnAddRelu = "aten::cudnn_convolution_add_relu";

/// A convolution of images whose weights `use_cudnn` laid out channels-last: LibTorch's result then
/// has its channels innermost.
bool is_channels_last_cudnn(const Graph& graph, const Node& node);

/// A convolution of one group with constant weights, in float32 or float16, and the relu that alone
/// reads it become kCudnnRelu; in float32 with the batch norm between them, whose factor setup
/// nodes put into the weights, and with a summand of the result's shape as kCudnnAddRelu. A half's
/// sum is rounded before relu, so there nothing else joins (docs/decisions/half-rounding.md).
///
/// Layout   cuDNN's kernels for tensor cores, which halves and TF32 have, are channels-last; it
///          copies images and results that are not. Weights of these convolutions are laid out so
///          once, and images between them stay so (fusion/channels_last.h), where the copies that
///          the plan then has are fewer elements than those that cuDNN makes otherwise.
/// Source   the operators and dtypes are those that LibTorch's fuse_frozen_conv_add_relu writes
void use_cudnn(Graph* graph, const Target& target);

}  // namespace torchweld
