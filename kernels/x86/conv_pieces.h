// The result of an image operation in pieces, as threads take them and as what follows them does.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>

#include "kernels/x86/conv_shape.h"
#include "kernels/x86/share_out.h"

namespace torchweld::x86 {

inline constexpr int64_t kPanel = 32;  ///< columns that a thread takes at least

/// The rows of the result, those of all images, each in pieces of equal width but for the last.
struct Pieces {
  int64_t width = 0, of_row = 1, count = 0;

  int64_t row(int64_t piece) const { return piece / of_row; }
  int64_t begin(int64_t piece) const { return piece % of_row * width; }
  /// How many positions lie before it.
  int64_t position(int64_t piece, int64_t out_width) const {
    return row(piece) * out_width + begin(piece);
  }
};

/// The slices of a volume that one slice of the result sees through a filter: `count` of them, from
/// the filter's tap `tap` on. What lies past the volume is neither read nor multiplied.
struct SeenSlices {
  int64_t tap = 0, count = 0;
  int64_t offset = 0;  ///< of the first of them, in elements from the first volume
};

/// Of slice `slice` of all volumes of the result.
inline SeenSlices seen_slices(const ConvShape& s, int64_t slice) {
  if (s.out_depth == 1 && s.kernel_depth == 1 && s.pad_depth == 0)  // an image, without divisions
    return {0, 1, slice * s.x_batch_stride};
  const int64_t first = slice % s.out_depth * s.stride_depth - s.pad_depth;
  const int64_t before = first < 0 ? (-first + s.dilation_depth - 1) / s.dilation_depth : 0;
  const int64_t end = first < s.in_depth ? (s.in_depth - 1 - first) / s.dilation_depth + 1 : 0;
  SeenSlices seen;
  seen.tap = before;
  seen.count = std::max<int64_t>(0, std::min(end, s.kernel_depth) - before);
  seen.offset = slice / s.out_depth * s.x_batch_stride +
                (first + before * s.dilation_depth) * s.x_depth_stride;
  return seen;
}

/// Images of one row have the length of a signal: whole, it would be nothing to share out, and out
/// of the cache before anything could follow.
inline Pieces pieces_of(const ConvShape& s, bool followed) {
  constexpr int64_t kWidth = 96;  // a multiple of the rows of every tile
  Pieces p;
  p.width = s.out_height == 1
                ? std::min(s.out_width, followed ? rows_of_block(s.out_channels) : kWidth)
                : s.out_width;
  p.of_row = (s.out_width + p.width - 1) / p.width;
  p.count = s.slices() * s.out_height * p.of_row;
  return p;
}

/// Blocks of pieces, `position_cycles` a position, on several threads where that pays.
inline void share_out_pieces(const ConvShape& s, const Pieces& pieces, int64_t position_cycles,
                             const SplitWork& parallel, const AfterRows& after,
                             const std::function<void(int64_t, int64_t)>& run) {
  AfterRows after_pieces;
  if (after) {
    after_pieces = [&after, &pieces, width = s.out_width](int64_t begin, int64_t end) {
      after(pieces.position(begin, width), pieces.position(end, width));
    };
  }
  const int64_t block =
      after ? std::max<int64_t>(1, rows_of_block(s.out_channels) / pieces.width) : 1;
  share_out_rows(pieces.count, {1, 1, block}, position_cycles * pieces.width, parallel,
                 after_pieces, run);
}

}  // namespace torchweld::x86
