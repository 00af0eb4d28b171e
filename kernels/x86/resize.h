// Images and volumes resized by hand on the host: sums over rows, then over columns, or the other
// way. What it is not: images read where a grid says (grid_sample.h).
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/x86/matmul.h"
#include "kernels/x86/resize_taps.h"
#include "kernels/x86/share_out.h"

namespace torchweld::x86 {

/// Columns [begin, end) of the result, which come from columns [first, last) of the source.
struct ResizeBlock {
  int64_t begin = 0, end = 0, first = 0, last = 0;
};

/// What eight columns of the result see, all their taps.
struct ResizeReach {
  int32_t low = 0, high = 0;  ///< the outermost places
};

/// What is done first of the two sums.
enum class ResizeOrder : uint8_t {
  kColumns,      ///< of each row of the source once
  kRows,         ///< of each row of the result
  kColumnsOnly,  ///< a row is one of the source's
};

/// One launch, float32.
///
/// Shapes   x [N, C, rows, columns] and the result, both with their columns side by side, or both
///          with their channels side by side, then their columns. A volume's rows are those of all
///          its layers, equally far apart.
/// Numerics ATen's places, weights and operations, in ATen's order for pixels side by side unless
///          rows come first; so within rounding. A NaN or infinity spoils what ATen's does.
struct Resize {
  struct Plane {
    int64_t images = 0, channels = 0, rows = 0;  ///< strides, in elements
  };
  int64_t images = 0, channels = 0, in_columns = 0;
  Plane x, out;
  bool channels_innermost = false;
  ResizeTaps rows, columns;
  // Made by lay_out():
  ResizeOrder order = ResizeOrder::kRows;
  int64_t row_kind = 1, column_kind = 1;  ///< entries of each place; 0 where they differ
  std::vector<ResizeBlock> blocks;
  int64_t padded = 0;          ///< columns of the result, in whole vectors
  std::vector<int32_t> from;   ///< pixels side by side: columns.from as [most][padded]; -1: none
  std::vector<float> weights;  ///< and its weights
  std::vector<ResizeReach> reach;  ///< by eight of the padded columns
  int64_t joined = 1;  ///< channels side by side that count as columns, since they are few

  int64_t tasks() const;
  int64_t bands() const;  ///< that each plane of pixels side by side is cut into
};

/// The rest of the call, from its tables. False where what a few columns see is too much for the
/// kernel's memory.
bool lay_out(Resize* call);

/// out = clamp(resized x + summand), or without what isn't there; the summand lies as the result.
struct ResizeOperands {
  const float* x = nullptr;
  const float* summand = nullptr;
  bool clamps = false;
  Clamp clamp;
  float* out = nullptr;
};

void run_resize(const Resize& call, const ResizeOperands& operands, const SplitWork& parallel);

}  // namespace torchweld::x86
