// Poolings by hand of images and volumes as they lie: any windows, those that reach past the edge
// too. An image is a volume of depth 1.
// What it is not: poolings between convolutions, whose images have their channels innermost and
// whose windows are all alike (image_conv.h).
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/kernel.h"

namespace torchweld::x86 {

/// What one place of the result sees along one dim of the volume, and its share of the divisor.
struct Window {
  int32_t begin = 0, end = 0, divisor = 1;
};

/// One launch, float32.
///
/// Shapes   x [N, C, D, H, W] and the result, which lie with their pixels or their channels
///          innermost, both in one way.
/// Numerics sums in the order of the window, then divided, as ATen does; -inf for a maximum of
///          nothing but that, and a NaN is a maximum.
struct WindowPool {
  struct Strides {
    int64_t images = 0, channels = 0, planes = 0, rows = 0, columns = 0;
  };
  bool averages = true;         ///< else the largest
  bool divides_by_dim = false;  ///< by the window's planes, by its rows, then by its columns
  int64_t images = 0, channels = 0, depth = 1, height = 0, width = 0;
  Strides x, out;
  std::vector<Window> planes, rows, columns;  ///< by place of the result; none is empty
  std::vector<float> column_divisors;         ///< and 7 more, so that a vector may begin at any
  /// Of all columns, where they are alike but for the edge: place c sees, from column
  /// c * step - before on, `wide` of them. 0: they are not.
  int64_t step = 0, before = 0, wide = 0;

  bool has_channels_innermost() const { return x.channels == 1 && channels > 1; }
  int64_t tasks() const {
    return images * (has_channels_innermost() ? static_cast<int64_t>(planes.size() * rows.size())
                                              : channels);
  }
};

/// `places`, which may be null: where in its volume each maximum is, the first of equal ones or the
/// last NaN; lies as the result does.
void run_window_pool(const WindowPool& pool, const float* x, float* out, int64_t* places,
                     const ParallelFor& parallel);

/// What run_window_pool does for tasks [begin, end). Needs AVX2.
void pool_windows(const WindowPool& pool, const float* x, float* out, int64_t* places,
                  int64_t begin, int64_t end);

/// The same where places are wanted.
void find_places(const WindowPool& pool, const float* x, float* out, int64_t* places, int64_t begin,
                 int64_t end);

}  // namespace torchweld::x86
