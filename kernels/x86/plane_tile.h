// Convolutions of few filters over few planes: neighbours along a row in the lanes of a vector.
// Included by matmul_avx2.cpp and matmul_avx512.cpp; see matmul_isa.h.
#pragma once

#include <cstdint>

#include "kernels/x86/matmul_isa.h"

namespace torchweld::x86 {
namespace {

/// kVectors of neighbours, or the first `left` of one, whose first taps lie at `x`.
template <class Isa, int kFilters, int kVectors, bool kWhole>
[[gnu::always_inline]] inline void plane_tile(const ImageConvCall& c, const float* x, int64_t at,
                                              int left) {
  using V = typename Isa::V;
  const ConvShape& s = c.shape;
  V sum[kFilters * kVectors];
#pragma GCC unroll 16
  for (int i = 0; i < kFilters * kVectors; ++i) sum[i] = Isa::zero();
  const float* w = c.w;
  const int64_t filter = s.taps();
  for (int64_t ky = 0; ky < s.kernel_height; ++ky) {
    const float* row = x + ky * s.dilation_height * s.x_height_stride;
    for (int64_t kx = 0; kx < s.kernel_width; ++kx) {
      const float* plane = row + kx * s.dilation_width;
      for (int64_t channel = 0; channel < s.in_channels; ++channel, ++w) {
        V values[kVectors];
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v)
          values[v] = kWhole ? Isa::load(plane + v * Isa::kLanes) : Isa::load_first(plane, left);
#pragma GCC unroll 4
        for (int f = 0; f < kFilters; ++f) {
          const V weight = Isa::all(w[f * filter]);
#pragma GCC unroll 4
          for (int v = 0; v < kVectors; ++v)
            sum[f * kVectors + v] = Isa::add_product(sum[f * kVectors + v], values[v], weight);
        }
        plane += s.x_channel_stride;
      }
    }
  }
#pragma GCC unroll 4
  for (int f = 0; f < kFilters; ++f) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      V& value = sum[f * kVectors + v];
      if (c.scale != nullptr) value = Isa::mul(value, Isa::all(c.scale[f]));
      if (c.bias != nullptr) value = Isa::add(value, Isa::all(c.bias[f]));
    }
  }
  float* out = c.out + at * kFilters;
  const float* summand = c.summand == nullptr ? nullptr : c.summand + at * kFilters;
  if constexpr (kFilters > 1) {  // those of a position lie side by side
    alignas(64) float made[kFilters][kVectors * Isa::kLanes];
#pragma GCC unroll 16
    for (int i = 0; i < kFilters * kVectors; ++i)
      Isa::store(made[i / kVectors] + i % kVectors * Isa::kLanes, sum[i]);
    const int64_t count = kWhole ? kVectors * Isa::kLanes : left;
    for (int64_t i = 0; i < count; ++i) {
      for (int f = 0; f < kFilters; ++f) {
        float value = made[f][i];
        if (summand != nullptr) value += summand[i * kFilters + f];
        if (c.clamps) {  // NaN stays
          value = value < c.clamp.low ? c.clamp.low : value;
          value = value > c.clamp.high ? c.clamp.high : value;
        }
        out[i * kFilters + f] = value;
      }
    }
  } else {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const int64_t i = v * Isa::kLanes;
      V value = sum[v];
      if (summand != nullptr)
        value = Isa::add(value, kWhole ? Isa::load(summand + i) : Isa::load_first(summand, left));
      if (c.clamps)  // the second operand where one of them is NaN
        value = Isa::min(Isa::all(c.clamp.high), Isa::max(Isa::all(c.clamp.low), value));
      kWhole ? Isa::store(out + i, value) : Isa::store_first(out, value, left);
    }
  }
}

/// Rows [begin, end) of the result, those of all images, which have their padding in memory; a
/// piece of a row begins at a negative one.
template <class Isa, int kFilters>
void plane_rows(const ImageConvCall& c, int64_t begin, int64_t end) {
  // Beside the sums, registers for as many neighbours and a weight.
  constexpr int kVectors = Isa::kLanes == 16 || kFilters <= 2 ? 4 : 2;
  constexpr int64_t kTile = kVectors * Isa::kLanes;
  const ConvShape& s = c.shape;
  for (int64_t row = begin; row < end; ++row) {
    const float* x = c.x + row / s.out_height * s.x_batch_stride +
                     row % s.out_height * s.stride_height * s.x_height_stride - s.pad_width;
    const int64_t at = row * s.out_width;
    int64_t i = 0;
    for (; i + kTile <= s.out_width; i += kTile)
      plane_tile<Isa, kFilters, kVectors, true>(c, x + i, at + i, Isa::kLanes);
    for (; i + Isa::kLanes <= s.out_width; i += Isa::kLanes)
      plane_tile<Isa, kFilters, 1, true>(c, x + i, at + i, Isa::kLanes);
    if (i < s.out_width)
      plane_tile<Isa, kFilters, 1, false>(c, x + i, at + i, static_cast<int>(s.out_width - i));
  }
}

template <class Isa>
void plane_rows(const ImageConvCall& c, int64_t begin, int64_t end) {
  static_assert(kMostFewColumns == 4);
  if (c.shape.out_channels == 1) {
    plane_rows<Isa, 1>(c, begin, end);
  } else if (c.shape.out_channels == 2) {
    plane_rows<Isa, 2>(c, begin, end);
  } else if (c.shape.out_channels == 3) {
    plane_rows<Isa, 3>(c, begin, end);
  } else {
    plane_rows<Isa, 4>(c, begin, end);
  }
}

}  // namespace
}  // namespace torchweld::x86
