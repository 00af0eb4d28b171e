// What the operators for convolutions say besides their tensors.
#pragma once

#include <optional>
#include <vector>

#include "kernels/x86/conv_shape.h"
#include "loader/graph.h"

namespace torchweld {

/// One entry a dim of the image in each list.
struct ConvArgs {
  std::vector<int64_t> stride, padding, dilation;
  int64_t groups = 1;
};

/// An int list argument of `count` entries, of which one may stand for all.
bool read_ints(const Node& node, size_t i, size_t count, std::vector<int64_t>* out);

/// Of conv1d, conv2d, conv3d where `dims` is 3, _convolution, convolution and kImageConv over
/// images of `dims` dims; nullopt for other nodes, transposed convolutions and padding given by
/// name.
std::optional<ConvArgs> conv_args(const Node& node, size_t dims);

/// Of images x, weights w and result y, all of 3, all of 4 or all of 5 dims; x by its strides.
/// Dims along which the taps are one, a step apart, are one dim with the next where they lie so.
x86::ConvShape conv_shape(const Value& x, const Value& w, const Value& y, const ConvArgs& args);

}  // namespace torchweld
