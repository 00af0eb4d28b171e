// What generated code is called with. Its layout is known to generated code.
#pragma once

#include <cstdint>

#include "kernels/spec.h"

namespace torchweld::x86 {

struct LaunchArgs {
  char* pointers[kMaxOperands];       ///< first elements of the block, loads first, then stores
  int64_t inner_bytes[kMaxOperands];  ///< along the dim that vectors lie along
  int64_t outer_bytes[kMaxOperands];  ///< from row to row
  int64_t inner;                      ///< elements of the lane dim, at least 1
  int64_t outer;                      ///< rows, at least 1
  int64_t stream;  ///< nonzero: store past the caches; stores are then 64-byte aligned in every row
  char* kept;      ///< room for one double an element of a row, and for a vector more
  int64_t nest[kMaxRank];  ///< loops within a row: how often, and the way from one time to the next
  int64_t nest_bytes[kMaxRank][kMaxOperands];
  int64_t coords[kMaxRank];  ///< of the block's first element, but for loops within a row
  const int64_t* params;     ///< Geometry::params
};

}  // namespace torchweld::x86
