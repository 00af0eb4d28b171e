// torchvision's roi_align and roi_pool as a kernel of the device: which pixels a region covers is
// data, and no loop nest.
#pragma once

#include <string>

#include "fusion/plan.h"
#include "loader/graph.h"

namespace torchweld {

/// Fills the call. False, and `why`, for other nodes and for what the kernel doesn't take. A region
/// whose image isn't there is an error of LibTorch's on the host and gives 0 on a device.
bool make_regions(const Graph& graph, const Node& node, RegionsCall* call, std::string* why);

/// "roi_align_1000x256x7x7_f32": regions, channels and cells.
std::string name_of_step(const RegionsCall& call);

}  // namespace torchweld
