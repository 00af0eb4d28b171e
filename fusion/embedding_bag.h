// embedding_bag as a kernel of its own, since a bag's length is data and no loop nest.
#pragma once

#include <string>

#include "fusion/plan.h"
#include "loader/graph.h"

namespace torchweld {

/// Fills the call. False, and `why`, for other nodes, for dtypes and strides that the kernel
/// doesn't take, and where anything but the bags themselves is used: which bag an index belongs to,
/// sizes and the places of maxima are for training. Offsets that don't begin at 0, or fall, are not
/// noticed on a device, as by LibTorch's kernel there; on the host they are errors.
bool make_embedding_bag(const Graph& graph, const Node& node, EmbeddingBagCall* call,
                        std::string* why);

/// "embedding_bag_32x16_f32": bags and columns.
std::string name_of_step(const EmbeddingBagCall& call);

}  // namespace torchweld
