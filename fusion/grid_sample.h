// Images and volumes read at a grid's places, as steps by hand on the host: grid_sampler.
#pragma once

#include "fusion/plan.h"
#include "loader/graph.h"

namespace torchweld {

/// Of float32 and float64, whatever the strides of image and grid; false for other nodes, for
/// images whose elements lie 2^31 or more apart, and for results whose pixels no single stride
/// walks.
bool make_grid_sample(const Graph& graph, const Node& node, GridSampleCall* out);

std::string name_of_step(const GridSampleCall& call);

}  // namespace torchweld
