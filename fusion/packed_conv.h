// Convolutions as LibTorch's oneDNN operators with packed weights run them.
#pragma once

#include "fusion/planner.h"
#include "loader/graph.h"

namespace torchweld {

/// What `pack_convolutions` writes: its result has the channels innermost.
inline constexpr const char* kPackedConv = "mkldnn::_convolution_pointwise";

/// A float32 convolution over images with constant weights, together with the batch norm
/// and the activation after it, becomes one kPackedConv node; weights are scaled and packed by
/// setup nodes. All that lies between has its channels innermost (fusion/channels_last.h). Nothing
/// happens where the copies would cost more than is saved.
void pack_convolutions(Graph* graph, const Target& target);

}  // namespace torchweld
