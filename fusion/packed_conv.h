// Convolutions with weights packed once: by the host's own kernel, or by LibTorch's oneDNN
// operators.
#pragma once

#include "fusion/planner.h"
#include "loader/graph.h"

namespace torchweld {

/// LibTorch's operator.
inline constexpr const char* kPackedConv = "mkldnn::_convolution_pointwise";

/// What `pack_convolutions` writes: the result has its channels innermost.
bool is_packed_convolution(const Node& node);

/// A float32 convolution over images, volumes or signals, which are images of one row, with
/// constant weights, transposed or not, together with the batch norm after it, becomes one node of
/// the own kernel (fusion/image_conv.h); in groups of few channels, one kPackedConv node together
/// with an activation that oneDNN has. Weights are scaled by setup nodes. All that lies between has
/// its channels innermost (fusion/channels_last.h). Nothing happens where the copies would cost
/// more than is saved.
void pack_convolutions(Graph* graph, const Target& target);

}  // namespace torchweld
