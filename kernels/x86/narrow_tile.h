// Filters by channel of images with two to four channels, innermost: the elements of a row in the
// lanes of a vector, pixel after pixel. Included by matmul_avx2.cpp and matmul_avx512.cpp; see
// matmul_isa.h.
#pragma once

#include <cstdint>

#include "kernels/x86/matmul_isa.h"

namespace torchweld::x86 {
namespace {

/// Of kNarrow elements those of vectors [kFirst, kFirst + kVectors), or the first `left` of one.
template <class Isa, int kFirst, int kVectors, bool kWhole>
[[gnu::always_inline]] inline void narrow_tile(const NarrowCall& n, const float* x, int64_t at,
                                               int left) {
  using V = typename Isa::V;
  const ConvShape& s = n.call.shape;
  const ImageConvCall& c = n.call;
  V sum[kVectors];
#pragma GCC unroll 6
  for (int v = 0; v < kVectors; ++v) sum[v] = Isa::zero();
  const float* w = n.taps + kFirst * Isa::kLanes;
  const int64_t next = s.dilation_width * s.in_channels;
  for (int64_t ky = 0; ky < s.kernel_height; ++ky) {
    const float* from = x + ky * s.dilation_height * s.x_height_stride;
    for (int64_t kx = 0; kx < s.kernel_width; ++kx, from += next, w += kNarrow) {
#pragma GCC unroll 6
      for (int v = 0; v < kVectors; ++v) {
        const int64_t i = v * Isa::kLanes;
        const V value = kWhole ? Isa::load(from + i) : Isa::load_first(from, left);
        sum[v] = Isa::add_product(sum[v], value, Isa::load(w + i));
      }
    }
  }
#pragma GCC unroll 6
  for (int v = 0; v < kVectors; ++v) {
    const int64_t i = v * Isa::kLanes, channel = kFirst * Isa::kLanes + i;
    V value = sum[v];
    if (c.scale != nullptr) value = Isa::mul(value, Isa::load(n.scale + channel));
    if (c.bias != nullptr) value = Isa::add(value, Isa::load(n.bias + channel));
    if (c.summand != nullptr)
      value = Isa::add(
          value, kWhole ? Isa::load(c.summand + at + i) : Isa::load_first(c.summand + at, left));
    if (c.clamps)  // the second operand where one of them is NaN
      value = Isa::min(Isa::all(c.clamp.high), Isa::max(Isa::all(c.clamp.low), value));
    kWhole ? Isa::store(c.out + at + i, value) : Isa::store_first(c.out + at, value, left);
  }
}

/// What is left of a row, less than kNarrow elements, vector by vector.
template <class Isa, int kFirst>
void narrow_rest(const NarrowCall& n, const float* x, int64_t at, int64_t left) {
  if constexpr (kFirst * Isa::kLanes < kNarrow) {
    if (left <= 0) return;
    if (left >= Isa::kLanes) {
      narrow_tile<Isa, kFirst, 1, true>(n, x, at, Isa::kLanes);
    } else {
      narrow_tile<Isa, kFirst, 1, false>(n, x, at, static_cast<int>(left));
    }
    narrow_rest<Isa, kFirst + 1>(n, x + Isa::kLanes, at + Isa::kLanes, left - Isa::kLanes);
  }
}

/// Rows [begin, end) of the result, those of all images, which have their padding in memory; a
/// piece of a row begins at a negative one.
template <class Isa>
void narrow_rows(const NarrowCall& n, int64_t begin, int64_t end) {
  const ConvShape& s = n.call.shape;
  const int64_t floats = s.out_width * s.out_channels;
  for (int64_t row = begin; row < end; ++row) {
    const float* x = n.call.x + row / s.out_height * s.x_batch_stride +
                     row % s.out_height * s.stride_height * s.x_height_stride -
                     s.pad_width * s.in_channels;
    const int64_t at = row * floats;
    int64_t i = 0;
    for (; i + kNarrow <= floats; i += kNarrow)
      narrow_tile<Isa, 0, kNarrow / Isa::kLanes, true>(n, x + i, at + i, Isa::kLanes);
    narrow_rest<Isa, 0>(n, x + i, at + i, floats - i);
  }
}

}  // namespace
}  // namespace torchweld::x86
