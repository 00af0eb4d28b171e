// Where pixels of a sampled image come from, and their weights: found for a block of pixels, used
// by all channels. For files that compile for AVX2 and FMA, without contraction: products are fused
// where ATen's build fuses them, and with three dims nowhere.
#pragma once

#include <cstdint>

#include "kernels/x86/grid_sample.h"
#include "kernels/x86/sample_lanes.h"

namespace torchweld::x86 {
namespace {

/// How many pixels of the image one of the result is made of, by mode.
template <Interpolation kMode, int kDims>
struct Taps {
  static constexpr int kSide = kMode == Interpolation::kNearest    ? 1
                               : kMode == Interpolation::kBilinear ? 2
                                                                   : 4;
  static constexpr int kAll = kDims == 2 ? kSide * kSide : kSide * kSide * kSide;
  /// Bicubic: those of the columns, then those of the rows; bilinear: one a tap.
  static constexpr int kWeights = kMode == Interpolation::kBicubic ? 8 : kAll;
};

/// By tap and pixel. Taps are counted with the columns innermost.
template <class T, int kTaps, int kWeights>
struct Places {
  using Int = typename Lanes<T>::Int;
  alignas(32) Int offset[kTaps][GridSample::kBlock];  ///< within the image also where masked
  alignas(32) Int mask[kTaps][GridSample::kBlock];    ///< all ones: there is such a pixel; or 0
  alignas(32) T weight[kWeights][GridSample::kBlock];
  /// By vector of pixels: no tap is masked, and those of a row are neighbours.
  bool whole[GridSample::kBlock / Lanes<T>::kCount];
};

/// One dim of the image and of the grid's coordinates.
template <class T, int kDims>
class Axis {
 public:
  using L = Lanes<T>;
  using V = typename L::V;
  using I = typename L::I;

  Axis() = default;
  Axis(const GridSample& call, int d)
      : padding_(call.padding),
        align_corners_(call.align_corners),
        size_(call.x_sizes[d]),
        stride_(call.x_strides[d]) {}

  /// A coordinate of [-1, 1] in pixels.
  V in_pixels(V g) const {
    const V one = V{} + 1;
    if (kDims == 2) {
      const T scale = static_cast<T>(align_corners_ ? size_ - 1 : size_) / 2;
      return align_corners_ ? (g + one) * scale : L::fma(g + one, V{} + scale, V{} - T{0.5});
    }
    return align_corners_ ? ((g + one) / 2) * static_cast<T>(size_ - 1)
                          : ((g + one) * static_cast<T>(size_) - one) / 2;
  }

  V padded(V x) const {
    if (padding_ == GridPadding::kZeros) return x;
    if (padding_ == GridPadding::kReflection) x = kDims == 2 ? reflected(x) : reflected_by_fmod(x);
    return clipped(x);
  }

  /// Offset and mask of pixel `i` of this dim.
  void place(I i, I* offset, I* mask) const {
    const I zero{}, last = zero + static_cast<typename L::Int>(size_ - 1);
    *mask = (i >= zero) & (i <= last);
    i = i < zero ? zero : i;
    i = i > last ? last : i;
    *offset = i * static_cast<typename L::Int>(stride_);
  }

 private:
  V clipped(V x) const {
    const V zero{}, last = zero + static_cast<T>(size_ - 1);
    if (kDims == 2) {  // NaN is pixel 0
      x = x > zero ? x : zero;
      return x < last ? x : last;
    }
    x = x < zero ? zero : x;
    return x < last ? x : last;
  }

  V reflected(V x) const {
    if (align_corners_ && size_ <= 1) return V{};
    const V low = V{} + (align_corners_ ? T{0} : T{-0.5});
    const V twice = V{} + static_cast<T>(align_corners_ ? size_ - 1 : size_) * 2;
    x = x - low;
    x = x < 0 ? -x : x;
    const V extra = L::fma(-L::trunc(x / twice), twice, x);
    const V back = twice - extra;
    return (extra < back ? extra : back) + low;
  }

  V reflected_by_fmod(V x) const {
    if (align_corners_ && size_ <= 1) return V{};
    const T low = align_corners_ ? T{0} : T{-0.5};
    const T span = static_cast<T>(align_corners_ ? size_ - 1 : size_);
    x = x - low;
    x = x < 0 ? -x : x;
    V extra;
    for (int64_t l = 0; l < L::kCount; ++l) extra[l] = fmod(x[l], span);
    const I flips = L::to_int(L::floor(x / span));
    return (flips & 1) == 0 ? extra + low : span - extra + low;
  }

  static float fmod(float a, float b) { return __builtin_fmodf(a, b); }
  static double fmod(double a, double b) { return __builtin_fmod(a, b); }

  GridPadding padding_ = GridPadding::kZeros;
  bool align_corners_ = false;
  int64_t size_ = 1, stride_ = 0;
};

/// The taps of one dim for a vector of pixels.
template <class T, int kSide>
struct AxisTaps {
  typename Lanes<T>::I offset[kSide], mask[kSide];
  typename Lanes<T>::V weight[kSide];
};

/// Keys' cubic with a = -3/4, at distances of at most one pixel.
template <class T>
typename Lanes<T>::V cubic_near(typename Lanes<T>::V x) {
  using L = Lanes<T>;
  constexpr typename L::V kZero{};
  const auto inner = L::fma(kZero + T{1.25}, x, kZero - T{2.25});
  return L::fma(inner * x, x, kZero + 1);
}

/// The same of one to two pixels.
template <class T>
typename Lanes<T>::V cubic_far(typename Lanes<T>::V x) {
  return ((T{-0.75} * x + T{3.75}) * x - T{6}) * x + T{3};
}

template <class T, Interpolation kMode, int kDims>
AxisTaps<T, Taps<kMode, kDims>::kSide> taps_of(const Axis<T, kDims>& axis,
                                               typename Lanes<T>::V coordinate) {
  using L = Lanes<T>;
  using V = typename L::V;
  AxisTaps<T, Taps<kMode, kDims>::kSide> taps;
  V x = axis.in_pixels(coordinate);
  if constexpr (kMode == Interpolation::kNearest) {
    axis.place(L::to_int(L::nearest(axis.padded(x))), taps.offset, taps.mask);
  } else if constexpr (kMode == Interpolation::kBilinear) {
    x = axis.padded(x);
    const V first = L::floor(x);
    taps.weight[1] = x - first;
    taps.weight[0] = kDims == 2 ? 1 - taps.weight[1] : (first + 1) - x;
    for (int i = 0; i < 2; ++i) axis.place(L::to_int(first) + i, taps.offset + i, taps.mask + i);
  } else {
    const V second = L::floor(x);
    const V t = x - second;
    taps.weight[0] = cubic_far<T>(t + 1);
    taps.weight[1] = cubic_near<T>(t);
    taps.weight[2] = cubic_near<T>(1 - t);
    taps.weight[3] = cubic_far<T>(2 - t);
    for (int i = 0; i < 4; ++i) {
      const V at = axis.padded(second + static_cast<T>(i - 1));
      axis.place(L::to_int(at), taps.offset + i, taps.mask + i);
    }
  }
  return taps;
}

}  // namespace
}  // namespace torchweld::x86
