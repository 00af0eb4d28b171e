// What images go through channel by channel, one filter each or a window, written once for both
// vector widths. Included by the two files that are compiled for one instruction set each; see
// matmul_isa.h. Sums live in registers, which takes loops that are unrolled before anything else is
// done to them.
#pragma once

#include <cstdint>

#include "kernels/x86/image_mean.h"
#include "kernels/x86/matmul_isa.h"

namespace torchweld::x86 {
namespace {

/// Taps [begin, end) of one dim that lie within the image.
struct Taps {
  int64_t begin, end;
};

/// `first`: where tap 0 lies.
inline Taps taps_inside(int64_t first, int64_t dilation, int64_t taps, int64_t size) {
  const int64_t begin = first >= 0 ? 0 : (-first + dilation - 1) / dilation;
  const int64_t end = first >= size ? 0 : (size - 1 - first) / dilation + 1;
  return {begin, end < taps ? end : taps};
}

/// The taps that neighbours see, of each dim; or of their columns, all that filters share.
struct SeenTaps {
  Taps z, y, x;
};

/// The greater one, NaN where either is NaN.
template <class Isa>
[[gnu::always_inline]] inline typename Isa::V greater(typename Isa::V a, typename Isa::V b) {
  // Each maximum is its second operand where one of them is NaN; otherwise they are alike.
  return Isa::either(Isa::max(a, b), Isa::max(b, a));
}

/// The taps of a filter over kPositions neighbours, kStride apart: each column of the image is read
/// once a row, those outside `columns` not at all.
template <class Isa, int kWidth, int kStride, int kPositions, class Load>
[[gnu::always_inline]] inline void filter(const ImageConvCall& c, const float* x, const float* w,
                                          Taps ky, Taps columns, const Load& load,
                                          typename Isa::V* sum) {
  using V = typename Isa::V;
  const int64_t pixel = c.shape.x_width_stride, tap_stride = c.panel;
  const int64_t row = c.shape.dilation_height * c.shape.x_height_stride;
  x += ky.begin * row;
  w += ky.begin * kWidth * tap_stride;
  for (int64_t y = ky.begin; y < ky.end; ++y, x += row, w += kWidth * tap_stride) {
    V tap[kWidth];
#pragma GCC unroll 8
    for (int i = 0; i < kWidth; ++i) tap[i] = Isa::load(w + i * tap_stride);
    const float* from = x;
#pragma GCC unroll 32
    for (int column = 0; column < (kPositions - 1) * kStride + kWidth; ++column, from += pixel) {
      if (column < columns.begin || column >= columns.end) continue;
      const V value = load(from);
#pragma GCC unroll 8
      for (int p = 0; p < kPositions; ++p) {
        const int i = column - p * kStride;
        if (i >= 0 && i < kWidth) sum[p] = Isa::add_product(sum[p], value, tap[i]);
      }
    }
  }
}

/// What the taps make of kPositions neighbours, in the order of the taps.
template <class Isa, ImageOp kOp, int kPositions, class Load>
[[gnu::always_inline]] inline void window(const ImageConvCall& c, const float* x, const float* w,
                                          Taps ky, Taps kx, const Load& load,
                                          typename Isa::V* sum) {
  using V = typename Isa::V;
  const ConvShape& s = c.shape;
  const int64_t next = s.stride_width * s.x_width_stride;
  for (int64_t y = ky.begin; y < ky.end; ++y) {
    for (int64_t i = kx.begin; i < kx.end; ++i) {
      const V tap = kOp == ImageOp::kDepthwise ? Isa::load(w + (y * s.kernel_width + i) * c.panel)
                                               : Isa::zero();
      const float* from =
          x + y * s.dilation_height * s.x_height_stride + i * s.dilation_width * s.x_width_stride;
#pragma GCC unroll 8
      for (int p = 0; p < kPositions; ++p, from += next) {
        const V value = load(from);
        sum[p] = kOp == ImageOp::kDepthwise ? Isa::add_product(sum[p], value, tap)
                 : kOp == ImageOp::kMaxPool ? greater<Isa>(sum[p], value)
                                            : Isa::add(sum[p], value);
      }
    }
  }
}

/// kPositions neighbours of one row of the result, `x` where their taps begin, over one vector of
/// channels, of which the first `left` exist unless all do. A filter of kWidth taps a row, kStride
/// apart from the next; of any where kWidth is 0. `seen.x`: which taps exist, or which of the
/// columns that a filter's neighbours share.
template <class Isa, ImageOp kOp, int kWidth, int kStride, int kPositions, bool kWhole>
[[gnu::always_inline]] inline void channel_vector(const ImageConvCall& c, const float* x,
                                                  const float* w, int64_t at, int64_t channel,
                                                  const SeenTaps& seen, int left) {
  using V = typename Isa::V;
  const ConvShape& s = c.shape;
  const auto load = [left](const float* p) {
    return kWhole ? Isa::load(p) : Isa::load_first(p, left);
  };
  V sum[kPositions];
  const bool biased = kOp == ImageOp::kDepthwise && c.bias != nullptr;
  const bool scaled = kOp == ImageOp::kDepthwise && c.scale != nullptr;
  const V start = kOp == ImageOp::kMaxPool ? Isa::all(-__builtin_inff())
                  : biased && !scaled      ? load(c.bias + channel)
                                           : Isa::zero();
#pragma GCC unroll 8
  for (int p = 0; p < kPositions; ++p) sum[p] = start;
  for (int64_t z = seen.z.begin; z < seen.z.end; ++z) {
    const float* const slice = x + z * s.dilation_depth * s.x_depth_stride;
    const float* const taps = w + z * s.kernel_height * s.kernel_width * c.panel;
    if constexpr (kWidth > 0) {
      filter<Isa, kWidth, kStride, kPositions>(c, slice, taps, seen.y, seen.x, load, sum);
    } else {
      window<Isa, kOp, kPositions>(c, slice, taps, seen.y, seen.x, load, sum);
    }
  }
  if (scaled) {
    const V scale = load(c.scale + channel), bias = biased ? load(c.bias + channel) : Isa::zero();
#pragma GCC unroll 8
    for (int p = 0; p < kPositions; ++p) sum[p] = Isa::fma(sum[p], scale, bias);
  }
  if (kOp == ImageOp::kAveragePool) {
    const auto count = [](Taps taps) { return taps.end - taps.begin; };
    const int64_t taps =
        s.counts_padding ? s.pixels() : count(seen.z) * count(seen.y) * count(seen.x);
#pragma GCC unroll 8
    for (int p = 0; p < kPositions; ++p)
      sum[p] = Isa::div(sum[p], Isa::all(static_cast<float>(taps)));
  }
  if (c.summand != nullptr) {
#pragma GCC unroll 8
    for (int p = 0; p < kPositions; ++p)
      sum[p] = Isa::add(sum[p], load(c.summand + at + p * s.out_channels));
  }
  if (c.clamps) {
    const V low = Isa::all(c.clamp.low), high = Isa::all(c.clamp.high);
#pragma GCC unroll 8
    for (int p = 0; p < kPositions; ++p) sum[p] = Isa::min(high, Isa::max(low, sum[p]));
  }
  float* to = c.out + at;
#pragma GCC unroll 8
  for (int p = 0; p < kPositions; ++p, to += s.out_channels)
    kWhole ? Isa::store(to, sum[p]) : Isa::store_first(to, sum[p], left);
}

/// All channels of kPositions neighbours; `position` counts those of all rows.
template <class Isa, ImageOp kOp, int kWidth, int kStride, int kPositions>
void channel_positions(const ImageConvCall& c, const float* x, int64_t position,
                       const SeenTaps& seen) {
  const int64_t channels = c.shape.out_channels, at = position * channels;
  int64_t channel = 0;
  const auto weights = [&]() -> const float* {
    if (kOp != ImageOp::kDepthwise) return nullptr;
    const int64_t within = channel & (c.panel - 1);  // of a power of two; a division takes long
    return c.w + (channel - within) * c.shape.pixels() + within;
  };
  for (; channel + Isa::kLanes <= channels; channel += Isa::kLanes)
    channel_vector<Isa, kOp, kWidth, kStride, kPositions, true>(
        c, x + channel, weights(), at + channel, channel, seen, Isa::kLanes);
  if (channel < channels)
    channel_vector<Isa, kOp, kWidth, kStride, kPositions, false>(
        c, x + channel, weights(), at + channel, channel, seen,
        static_cast<int>(channels - channel));
}

template <class Isa, ImageOp kOp, int kWidth, int kStride, int kPositions>
void channel_neighbours(const ImageConvCall& c, int64_t count, const float* x, int64_t position,
                        const SeenTaps& seen) {
  if constexpr (kPositions > 0) {
    if (count == kPositions) {
      channel_positions<Isa, kOp, kWidth, kStride, kPositions>(c, x, position, seen);
    } else {
      channel_neighbours<Isa, kOp, kWidth, kStride, kPositions - 1>(c, count, x, position, seen);
    }
  }
}

template <class Isa, ImageOp kOp, int kWidth, int kStride>
void channel_rows(const ImageConvCall& c, int64_t begin, int64_t end) {
  constexpr int64_t kPositions = 6;  // beside them, registers for taps and limits
  const ConvShape& s = c.shape;
  for (int64_t row = begin; row < end; ++row) {
    const int64_t slice = row / s.out_height;
    const int64_t y0 = row % s.out_height * s.stride_height - s.pad_height;
    int64_t volume = slice, z0 = 0;
    SeenTaps seen = {{0, 1}, taps_inside(y0, s.dilation_height, s.kernel_height, s.in_height), {}};
    if (s.in_depth > 1 || s.kernel_depth > 1) {
      volume = slice / s.out_depth;
      z0 = (slice - volume * s.out_depth) * s.stride_depth - s.pad_depth;
      seen.z = taps_inside(z0, s.dilation_depth, s.kernel_depth, s.in_depth);
    }
    const float* image =
        c.x + volume * s.x_batch_stride + z0 * s.x_depth_stride + y0 * s.x_height_stride;
    for (int64_t i = 0; i < s.out_width;) {
      const int64_t x0 = i * s.stride_width - s.pad_width;
      const float* x = image + x0 * s.x_width_stride;
      const int64_t position = row * s.out_width + i;
      int64_t left = s.out_width - i;
      seen.x = taps_inside(x0, s.dilation_width, s.kernel_width, s.in_width);
      if (kWidth == 0) {
        if (seen.x.begin > 0 || seen.x.end < s.kernel_width) {
          channel_positions<Isa, kOp, 0, 0, 1>(c, x, position, seen);
          ++i;
          continue;
        }
        // Neighbours go together where all their taps in this dim exist.
        const int64_t room = s.in_width - 1 - x0 - (s.kernel_width - 1) * s.dilation_width;
        const int64_t inside = room / s.stride_width + 1;
        left = inside < left ? inside : left;
      } else {
        seen.x = {-x0, s.in_width - x0};
      }
      const int64_t tiles = (left + kPositions - 1) / kPositions;
      const int64_t count = (left + tiles - 1) / tiles;
      channel_neighbours<Isa, kOp, kWidth, kStride, kPositions>(c, count, x, position, seen);
      i += count;
    }
  }
}

/// Filters of the common widths in code of their own.
template <class Isa, int kStride>
void filter_rows(const ImageConvCall& c, int64_t begin, int64_t end) {
  if (c.shape.kernel_width == 3) {
    channel_rows<Isa, ImageOp::kDepthwise, 3, kStride>(c, begin, end);
  } else if (c.shape.kernel_width == 5) {
    channel_rows<Isa, ImageOp::kDepthwise, 5, kStride>(c, begin, end);
  } else if (c.shape.kernel_width == 7) {
    channel_rows<Isa, ImageOp::kDepthwise, 7, kStride>(c, begin, end);
  } else {
    channel_rows<Isa, ImageOp::kDepthwise, 0, 0>(c, begin, end);
  }
}

/// Rows [begin, end) of the result, those of all images.
template <class Isa>
void channel_rows(const ImageConvCall& c, int64_t begin, int64_t end) {
  const ConvShape& s = c.shape;
  if (s.op == ImageOp::kMaxPool) {
    channel_rows<Isa, ImageOp::kMaxPool, 0, 0>(c, begin, end);
  } else if (is_mean_of_image(s)) {
    for (int64_t b = begin; b < end; ++b) image_mean<Isa>(c, b);
  } else if (s.op == ImageOp::kAveragePool) {
    channel_rows<Isa, ImageOp::kAveragePool, 0, 0>(c, begin, end);
  } else if (s.dilation_width == 1 && s.stride_width == 1) {
    filter_rows<Isa, 1>(c, begin, end);
  } else if (s.dilation_width == 1 && s.stride_width == 2) {
    filter_rows<Isa, 2>(c, begin, end);
  } else {
    channel_rows<Isa, ImageOp::kDepthwise, 0, 0>(c, begin, end);
  }
}

}  // namespace
}  // namespace torchweld::x86
