// Convolutions and poolings of images and volumes with their channels innermost, as the host's own
// kernel runs them.
#pragma once

#include <vector>

#include "fusion/plan.h"
#include "fusion/planner.h"

namespace torchweld {

/// Of an image [N, C, pixels...] whose channels are innermost, then its pixels.
std::vector<int64_t> channels_last_strides(const std::vector<int64_t>& sizes);

/// What `pack_convolutions` writes for them: the arguments are aten::conv2d's, aten::conv1d's of
/// images of one row [N, C, W], or aten::conv3d's of volumes, then, where there is one, a factor of
/// the sums [C]. A list names the padding in front; that behind follows from the result's size.
inline constexpr const char* kImageConv = "torchweld::conv2d";

/// And for transposed ones: the arguments are aten::conv_transpose2d's, but for the weight
/// (fusion/transposed_conv.h), then a factor.
inline constexpr const char* kTransposedConv = "torchweld::conv_transpose2d";

/// Whether the kernel takes such a convolution of these weights [out_channels, in_channels /
/// groups, height, width], [..., width] or [..., depth, height, width]: one group, groups of
/// several channels in and enough of them out, or as many groups as channels in and out.
bool takes_image_conv(const Value& weight, int64_t groups, int64_t in_channels);

/// Whether the kernel takes the node, a pooling, which it does in less time than generated rows do.
bool is_pooling_by_hand(const Graph& graph, const Node& node, const Target& target);

/// Fills `out` (but its locations) when the first of `nodes` is a kImageConv, a kTransposedConv, or
/// a pooling of float32 images that have their channels innermost as its result has, and the
/// others, each the only reader of the one before, are what its kernel does afterwards.
bool make_image_conv(const Graph& graph, const std::vector<NodeId>& nodes, const Target& target,
                     ImageConv* out);

/// Makes the node the convolution's next and last operation. False, and nothing changed, where its
/// kernel has no such operation.
bool add_epilogue(const Graph& graph, const Node& node, ImageConv* conv);

}  // namespace torchweld
