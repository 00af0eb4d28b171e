// A kernel that follows a hand-written product or convolution runs over each block of rows as soon
// as that is made and still in the cache: the kernel is the step's tail.
#pragma once

#include "fusion/plan.h"

namespace torchweld {

/// Joins a fused step that alone reads what a product, convolution or pooling of the host makes,
/// and stores one tensor that lies alike, to that step. Both write the same memory.
void join_tails(Plan* plan);

}  // namespace torchweld
