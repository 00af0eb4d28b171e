// Where a resized image's places lie in the source along one dim: found once, when a plan is made.
#pragma once

#include <cstdint>
#include <vector>

namespace torchweld::x86 {

enum class ResizeFilter : uint8_t { kNearest, kNearestExact, kLinear, kCubic };

/// One dim of a resize.
struct ResizeDim {
  ResizeFilter filter = ResizeFilter::kLinear;
  bool antialiases = false;  ///< linear and cubic: downscaling sees all that a place covers
  bool aligns = false;       ///< corners stand on corners
  double factor = 0;         ///< that the caller gave; 0: none
  int64_t in = 1, out = 1;
};

/// By place of the result: which places of the source count, and how much.
struct ResizeTaps {
  int64_t most = 1;             ///< entries of a place; where it is one, all weights are 1
  std::vector<int32_t> counts;  ///< of entries that count, the first ones
  std::vector<int32_t> from;    ///< [places][most], ascending
  std::vector<float> weights;   ///< as from

  int64_t places() const { return static_cast<int64_t>(counts.size()); }
};

/// Numerics  in float32, fused where ATen's build for the CPU fuses: its places and weights.
/// Source    ATen/native/UpSample.h, ATen/native/cpu/UpSampleKernel.cpp
ResizeTaps resize_taps(const ResizeDim& dim);

/// Of two dims as one whose places follow each other: `inner_size` places of the source make one of
/// the outer dim.
ResizeTaps merged(const ResizeTaps& outer, const ResizeTaps& inner, int64_t inner_size);

}  // namespace torchweld::x86
