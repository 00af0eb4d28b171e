// Images between packed convolutions with their channels innermost in memory.
#pragma once

#include "loader/graph.h"

namespace torchweld {

/// For `pack_convolutions`: its nodes, and the pointwise operators, poolings and concatenations
/// that follow them, read and make images with the channels innermost. Of the others those read a
/// view of that memory whose results lie the same way in any case. Copies change the layout where
/// something else reads such an image, or where a packed convolution reads another one; an
/// image of one pixel or one channel lies the same way in both, and needs none. With `norms`, group
/// and instance norms follow too, which kernels compute then: LibTorch's results would lie
/// otherwise. How many elements are copied.
int64_t use_channels_last(Graph* graph, bool norms);

/// The same around what `use_cudnn` prepared.
int64_t use_channels_last_around_cudnn(Graph* graph);

}  // namespace torchweld
