// Transforms of tiles, written once for both vector widths. Included by the two files that are
// compiled for one instruction set each; see matmul_isa.h.
#pragma once

#include <cstdint>

#include "kernels/x86/winograd_isa.h"

namespace torchweld::x86 {
namespace {

inline TilePlace tile_place(const WinogradTiles& t, int64_t tile) {
  const int64_t row = tile / t.of_row, slice = row / t.of_column;
  return {slice, 2 * (row - slice * t.of_column), 2 * (tile - row * t.of_row)};
}

/// Taps [begin, end) of four that lie within `size`, the first at `first`.
struct Inside {
  int begin, end;
};

inline Inside inside(int64_t first, int64_t size) {
  const int64_t begin = first < 0 ? -first : 0, end = size - first;
  return {static_cast<int>(begin < 4 ? begin : 4), static_cast<int>(end < 0   ? 0
                                                                    : end < 4 ? end
                                                                              : 4)};
}

/// Of four in a row or column of pixels.
template <class Isa>
[[gnu::always_inline]] inline void transform_four(typename Isa::V* a, typename Isa::V* b,
                                                  typename Isa::V* c, typename Isa::V* d) {
  const typename Isa::V first = Isa::sub(*a, *c), second = Isa::add(*b, *c),
                        third = Isa::sub(*c, *b), fourth = Isa::sub(*b, *d);
  *a = first;
  *b = second;
  *c = third;
  *d = fourth;
}

/// One vector of channels of one tile, of which the first `left` exist, unless all do.
template <class Isa, bool kWhole>
[[gnu::always_inline]] inline void transform_vector(const float* x, const ConvShape& s, Inside ys,
                                                    Inside xs, float* to, int64_t stride,
                                                    int left) {
  typename Isa::V d[16];
#pragma GCC unroll 4
  for (int y = 0; y < 4; ++y) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const float* from = x + y * s.x_height_stride + i * s.x_width_stride;
      const bool exists = y >= ys.begin && y < ys.end && i >= xs.begin && i < xs.end;
      d[y * 4 + i] = !exists ? Isa::zero() : kWhole ? Isa::load(from) : Isa::load_first(from, left);
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) transform_four<Isa>(&d[i], &d[4 + i], &d[8 + i], &d[12 + i]);
#pragma GCC unroll 4
  for (int y = 0; y < 4; ++y)
    transform_four<Isa>(&d[4 * y], &d[4 * y + 1], &d[4 * y + 2], &d[4 * y + 3]);
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i)
    kWhole ? Isa::store(to + i * stride, d[i]) : Isa::store_first(to + i * stride, d[i], left);
}

template <class Isa>
[[gnu::always_inline]] inline void transform_channels(const float* x, const ConvShape& s, Inside ys,
                                                      Inside xs, float* to, int64_t stride) {
  const int64_t whole = s.in_channels / Isa::kLanes * Isa::kLanes;
  const int left = static_cast<int>(s.in_channels - whole);
  for (int64_t c = 0; c < whole; c += Isa::kLanes)
    transform_vector<Isa, true>(x + c, s, ys, xs, to + c, stride, Isa::kLanes);
  if (left > 0) transform_vector<Isa, false>(x + whole, s, ys, xs, to + whole, stride, left);
}

template <class Isa>
void transform_tiles(const WinogradTiles& t) {
  const ImageConvCall& c = *t.call;
  const ConvShape& s = c.shape;
  float* to = t.pixels;
  for (int64_t tile = t.begin; tile < t.end; ++tile) {
    const TilePlace at = tile_place(t, tile);
    const int64_t volume = at.slice / s.out_depth;
    const int64_t first = (at.slice - volume * s.out_depth) * s.stride_depth - s.pad_depth;
    const int64_t y = at.y - s.pad_height, x = at.x - s.pad_width;
    const Inside ys = inside(y, s.in_height), xs = inside(x, s.in_width);
    for (int64_t tap = t.tap; tap < t.tap + t.taps; ++tap, to += s.in_channels) {
      const int64_t z = first + tap * s.dilation_depth;
      const float* from = c.x + volume * s.x_batch_stride + z * s.x_depth_stride +
                          y * s.x_height_stride + x * s.x_width_stride;
      const bool exists = z >= 0 && z < s.in_depth;
      if (exists && ys.begin == 0 && ys.end == 4 && xs.begin == 0 && xs.end == 4) {
        transform_channels<Isa>(from, s, {0, 4}, {0, 4}, to, t.pixels_stride);
      } else {
        transform_channels<Isa>(from, s, exists ? ys : Inside{0, 0}, xs, to, t.pixels_stride);
      }
    }
  }
}

/// Whether one of the sums is NaN, infinite or so large that image_conv's own might be.
template <class Isa>
[[gnu::always_inline]] inline bool is_doubtful(const typename Isa::V* sums) {
  // A factor makes infinity of the large ones, and 0 makes NaN of infinity.
  typename Isa::V all = Isa::zero();
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i)
    all = Isa::fma(Isa::mul(sums[i], Isa::all(0x1p32f)), Isa::zero(), all);
  return Isa::has_nan(all);
}

/// Those four of image_conv, of one vector of columns from `column` on.
template <class Isa>
[[gnu::noinline]] void load_plain_sums(const WinogradTiles& t, TilePlace at, int64_t column,
                                       typename Isa::V* sums) {
  alignas(64) float of_panel[4 * kWinogradPanel];
  const int64_t within = column % kWinogradPanel;
  plain_sums(t, at, column - within, of_panel);
  for (int i = 0; i < 4; ++i) sums[i] = Isa::load(of_panel + i * kWinogradPanel + within);
}

/// One vector of columns of one tile; `left`: columns that exist, unless all do.
template <class Isa, bool kWhole>
[[gnu::always_inline]] inline void finish_vector(const WinogradTiles& t, TilePlace at,
                                                 const float* products, int64_t column, int left) {
  using V = typename Isa::V;
  const ImageConvCall& c = *t.call;
  const ConvShape& s = c.shape;
  const auto load = [left](const float* p) __attribute__((always_inline)) {
    return kWhole ? Isa::load(p) : Isa::load_first(p, left);
  };
  V half[8], sums[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const float* from = products + i * t.products_stride;
    const V a = load(from), b = load(from + 4 * t.products_stride),
            d = load(from + 8 * t.products_stride), e = load(from + 12 * t.products_stride);
    half[i] = Isa::add(Isa::add(a, b), d);
    half[4 + i] = Isa::sub(Isa::sub(b, d), e);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    const V* of = half + 4 * i;
    sums[2 * i] = Isa::add(Isa::add(of[0], of[1]), of[2]);
    sums[2 * i + 1] = Isa::sub(Isa::sub(of[1], of[2]), of[3]);
  }
  if (__builtin_expect(is_doubtful<Isa>(sums), 0)) load_plain_sums<Isa>(t, at, column, sums);
  const V shift = c.bias == nullptr ? Isa::zero() : load(c.bias + column);
  if (c.scale != nullptr) {
    const V scale = load(c.scale + column);
#pragma GCC unroll 4
    for (V& sum : sums) sum = Isa::fma(sum, scale, shift);
  } else if (c.bias != nullptr) {
#pragma GCC unroll 4
    for (V& sum : sums) sum = Isa::add(sum, shift);
  }
  const int64_t first =
      ((at.slice * s.out_height + at.y) * s.out_width + at.x) * s.out_channels + column;
  const V low = Isa::all(c.clamp.low), high = Isa::all(c.clamp.high);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    if (at.y + i / 2 >= s.out_height || at.x + i % 2 >= s.out_width) continue;
    const int64_t place = first + (i / 2 * s.out_width + i % 2) * s.out_channels;
    V sum = sums[i];
    if (c.summand != nullptr) sum = Isa::add(sum, load(c.summand + place));
    if (c.clamps) sum = Isa::min(high, Isa::max(low, sum));
    kWhole ? Isa::store(c.out + place, sum) : Isa::store_first(c.out + place, sum, left);
  }
}

template <class Isa>
void finish_tiles(const WinogradTiles& t, int64_t column) {
  const int64_t left = t.call->shape.out_channels - column;
  const int columns = static_cast<int>(left < kWinogradPanel ? left : kWinogradPanel);
  const float* from = t.products;
  for (int64_t tile = t.begin; tile < t.end; ++tile, from += kWinogradPanel) {
    const TilePlace at = tile_place(t, tile);
    int j = 0;
    for (; j + Isa::kLanes <= columns; j += Isa::kLanes)
      finish_vector<Isa, true>(t, at, from + j, column + j, Isa::kLanes);
    if (j < columns) finish_vector<Isa, false>(t, at, from + j, column + j, columns - j);
  }
}

}  // namespace
}  // namespace torchweld::x86
