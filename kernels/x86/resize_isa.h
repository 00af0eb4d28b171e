// The sums of resize.h, one file an instruction set; see matmul_isa.h.
#pragma once

#include "kernels/x86/resize.h"

namespace torchweld::x86 {

/// Floats of a block that wait for the second sum, and how many more vectors may reach to its left
/// and right.
inline constexpr int64_t kResizeFloats = 16384, kResizeSlack = 64;
/// Rows of the source of which the first sum is kept, and columns of a block.
inline constexpr int64_t kResizeKept = 4, kResizeColumns = 512;
inline constexpr int64_t kResizeTaps = 128;  ///< rows of a sum, at most

/// A launch without the standard library.
struct ResizeWork {
  const ResizeOperands* operands = nullptr;
  ResizeOrder order = ResizeOrder::kRows;
  int64_t channels = 0, in_columns = 0, out_columns = 0, out_rows = 0, bands = 1;
  Resize::Plane x, out;
  const ResizeBlock* blocks = nullptr;
  int64_t block_count = 0;
  int64_t row_taps = 1, column_taps = 1;  ///< the tables' `most`
  int64_t row_kind = 1, column_kind = 1;  ///< the same where each place has so many; else 0
  const int32_t* row_counts = nullptr;
  const int32_t* row_from = nullptr;
  const float* row_weights = nullptr;
  const int32_t* column_counts = nullptr;
  const int32_t* column_from = nullptr;  ///< pixels side by side: [taps][padded], else [][taps]
  const float* column_weights = nullptr;
  const ResizeReach* reach = nullptr;
  int64_t padded = 0;
};

ResizeWork work_of(const Resize& r, const ResizeOperands& operands);

/// Bands [begin, end) of all planes, of pixels side by side.
void resize_planes_avx2(const ResizeWork& w, int64_t begin, int64_t end);
void resize_planes_avx512(const ResizeWork& w, int64_t begin, int64_t end);

/// Rows [begin, end) of all images, of channels side by side.
void resize_pixels_avx2(const ResizeWork& w, int64_t begin, int64_t end);
void resize_pixels_avx512(const ResizeWork& w, int64_t begin, int64_t end);

}  // namespace torchweld::x86
