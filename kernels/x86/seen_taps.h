// Which taps of a filter see more than padding.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/x86/image_conv.h"

namespace torchweld::x86 {

/// The taps of a filter from place `first` on, `apart` each, that see more of a side of `size` than
/// the zeros at its ends.
inline MatmulCall::Seen seen_taps(int64_t taps, int64_t first, int64_t apart, int64_t size,
                                  int64_t before, int64_t after) {
  const int64_t missed = std::max<int64_t>(0, before - first), left = size - after - first;
  MatmulCall::Seen seen;
  seen.begin = std::min(taps, (missed + apart - 1) / apart);
  seen.end = std::clamp((left + apart - 1) / apart, seen.begin, taps);
  return seen;
}

/// A piece in parts whose taps see the same columns, where taps lie apart.
template <class Run>
void by_seen_taps(const ImageConvCall& c, int64_t row, int64_t column, MatmulCall part,
                  const Run& run) {
  const ConvShape& s = c.shape;
  part.seen_outer = seen_taps(s.kernel_height, row * s.stride_height - s.pad_height,
                              s.dilation_height, s.in_height, c.zeros_above, c.zeros_below);
  part.seen_inner = {0, part.inner};
  part.sees_all = false;
  const bool padded = s.op != ImageOp::kFewFilters;
  if (padded && (s.dilation_width == 1 || part.inner == 1)) return run(part);
  const auto first = [&](int64_t i) { return (column + i) * s.stride_width - s.pad_width; };
  const auto seen_at = [&](int64_t i) {
    return seen_taps(s.kernel_width, first(i), s.dilation_width, s.in_width, c.zeros_left,
                     c.zeros_right);
  };
  const MatmulCall::Seen whole = part.seen_inner;
  MatmulCall some = part;
  for (int64_t i = 0; i < part.m; i += some.m) {
    some.seen_inner = seen_at(i);
    some.m = 1;
    if (some.seen_inner == whole) {
      const int64_t last = first(i) + (s.kernel_width - 1) * s.dilation_width;
      const int64_t room = s.in_width - c.zeros_right - 1 - last;
      some.m = std::min(room / s.stride_width + 1, part.m - i);
    }
    while (i + some.m < part.m && seen_at(i + some.m) == some.seen_inner) ++some.m;
    some.x = part.x + i * part.x_row_stride;
    some.out = part.out + i * part.out_row_stride;
    if (part.summand != nullptr) some.summand = part.summand + i * part.summand_row_stride;
    run(some);
  }
}

}  // namespace torchweld::x86
