// grid_sampler of images by the host's own kernel (kernels/x86/grid_sample.h).
#pragma once

#include <string>

#include "fusion/plan.h"

namespace torchweld {

/// Fills the call (but its locations). False for other nodes, other dtypes than float32, volumes,
/// and bicubic interpolation.
bool make_grid_sample(const Graph& graph, const Node& node, GridSampleCall* call);

/// "bilinear_sample_2x3x784": images, channels, positions of each.
std::string name_of_step(const GridSampleCall& call);

}  // namespace torchweld
