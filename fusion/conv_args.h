// What the operators for convolutions say besides their tensors.
#pragma once

#include <optional>
#include <vector>

#include "loader/graph.h"

namespace torchweld {

/// One entry a dim of the image in each list.
struct ConvArgs {
  std::vector<int64_t> stride, padding, dilation;
  int64_t groups = 1;
};

/// Of conv1d, conv2d, _convolution and convolution over images of `dims` dims; nullopt for other
/// nodes, transposed convolutions and padding given by name.
std::optional<ConvArgs> conv_args(const Node& node, size_t dims);

}  // namespace torchweld
