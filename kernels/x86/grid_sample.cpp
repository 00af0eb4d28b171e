#include "kernels/x86/grid_sample.h"

#include <algorithm>
#include <cmath>

// Loops over a block are vectors only so: rounding and gathers are AVX2's.
#pragma GCC push_options
#pragma GCC optimize("O3")
#pragma GCC target("avx2,fma")

namespace torchweld::x86 {
namespace {

constexpr int kBlock = 64;                    // positions whose corners stay in the first cache
constexpr int64_t kGrain = int64_t{1} << 13;  // elements of the result for one thread

/// The pixels around each position: where they lie, all bits set where they are inside, and their
/// shares.
struct Corner {
  int32_t offset[kBlock], inside[kBlock];
  float share[kBlock];
};

/// One dim of the image.
struct Axis {
  float size, scale, shift;  ///< a coordinate c lies at (c + 1) * scale - shift
  float low, span;           ///< of the reflection
  int32_t stride;
};

Axis axis_of(const GridSampleShape& s, int64_t size, int64_t stride) {
  const auto n = static_cast<float>(size);
  Axis a{n, 0, 0, 0, 0, static_cast<int32_t>(stride)};
  a.scale = (s.from_centres ? n - 1 : n) / 2;
  a.shift = s.from_centres ? 0.f : 0.5f;
  a.low = s.from_centres ? 0.f : -0.5f;
  a.span = s.from_centres ? n - 1 : n;
  return a;
}

inline float clipped(const Axis& a, float x) {
  const float above = x > 0 ? x : 0;  // in this order NaN is 0
  return above < a.size - 1 ? above : a.size - 1;
}

void place(const Axis& a, Outside outside, float* x) {
  for (int i = 0; i < kBlock; ++i) x[i] = (x[i] + 1) * a.scale - a.shift;
  if (outside == Outside::kReflection) {
    if (a.span == 0) {
      std::fill_n(x, kBlock, 0.f);
      return;
    }
    for (int i = 0; i < kBlock; ++i) {
      const float from_low = std::fabs(x[i] - a.low);
      const float flips = std::floor(from_low / a.span);
      const float extra = from_low - flips * a.span;
      const bool even = flips - 2 * std::floor(flips / 2) == 0;
      x[i] = clipped(a, (even ? extra : a.span - extra) + a.low);
    }
  }
  if (outside == Outside::kBorder) {
    for (int i = 0; i < kBlock; ++i) x[i] = clipped(a, x[i]);
  }
}

/// Coordinates as those of the pixels on both sides, and how far each is from the other.
void split(const float* __restrict x, float* __restrict low, float* __restrict high,
           float* __restrict low_share, float* __restrict high_share) {
  for (int i = 0; i < kBlock; ++i) {
    low[i] = std::floor(x[i]);
    high[i] = low[i] + 1;
    high_share[i] = x[i] - low[i];
    low_share[i] = 1 - high_share[i];
  }
}

inline int32_t all_bits(bool set) { return set ? -1 : 0; }

/// A corner at whole coordinates, with the product of two shares.
void set_corner(const Axis& ax, const Axis& ay, const float* __restrict x,
                const float* __restrict y, const float* __restrict sx, const float* __restrict sy,
                Corner* __restrict c) {
  const float width = ax.size, height = ay.size;
  const int32_t x_stride = ax.stride, y_stride = ay.stride;
  for (int i = 0; i < kBlock; ++i) {
    float px = x[i] > -1 ? x[i] : 0.f, py = y[i] > -1 ? y[i] : 0.f;
    px = px < width ? px : 0.f;
    py = py < height ? py : 0.f;
    c->offset[i] = static_cast<int32_t>(px) * x_stride + static_cast<int32_t>(py) * y_stride;
    c->inside[i] = all_bits(px == x[i]) & all_bits(py == y[i]);
    c->share[i] = sx[i] * sy[i];
  }
}

inline float pixel(const Corner& c, const float* image, int i) {
  const float value = image[c.offset[i]];
  return c.inside[i] != 0 ? value : 0.f;
}

/// Positions next to each other in one row of the result.
class Block {
 public:
  Block(const GridSampleShape& s)
      : s_(s),
        ax_(axis_of(s, s.width, s.image_strides[3])),
        ay_(axis_of(s, s.height, s.image_strides[2])) {}

  void look(const float* grid, int count) {
    float x[kBlock] = {}, y[kBlock] = {};
    const int64_t step = s_.grid_strides[2], to_y = s_.grid_strides[3];
    for (int i = 0; i < count; ++i) {
      x[i] = grid[i * step];
      y[i] = grid[i * step + to_y];
    }
    place(ax_, s_.outside, x);
    place(ay_, s_.outside, y);
    float one[kBlock];
    std::fill_n(one, kBlock, 1.f);
    if (s_.nearest) {
      for (int i = 0; i < kBlock; ++i) x[i] = std::nearbyint(x[i]);
      for (int i = 0; i < kBlock; ++i) y[i] = std::nearbyint(y[i]);
      return set_corner(ax_, ay_, x, y, one, one, &corners_[0]);
    }
    float west[kBlock], east[kBlock], north[kBlock], south[kBlock];  // whole coordinates
    float e[kBlock], w[kBlock], n[kBlock], s[kBlock];                // and their shares
    split(x, west, east, w, e);
    split(y, north, south, n, s);
    set_corner(ax_, ay_, west, north, w, n, &corners_[0]);
    set_corner(ax_, ay_, east, north, e, n, &corners_[1]);
    set_corner(ax_, ay_, west, south, w, s, &corners_[2]);
    set_corner(ax_, ay_, east, south, e, s, &corners_[3]);
  }

  /// One channel at the positions that were looked at.
  void read(const float* image, float* out, int count) const {
    float sums[kBlock];
    const auto& [a, b, c, d] = corners_;
    if (s_.nearest) {
      for (int i = 0; i < kBlock; ++i) sums[i] = pixel(a, image, i);
    } else {
      for (int i = 0; i < kBlock; ++i)
        sums[i] = pixel(a, image, i) * a.share[i] + pixel(b, image, i) * b.share[i] +
                  pixel(c, image, i) * c.share[i] + pixel(d, image, i) * d.share[i];
    }
    const int64_t step = s_.out_strides[3];
    for (int i = 0; i < count; ++i) out[i * step] = sums[i];
  }

 private:
  const GridSampleShape& s_;
  const Axis ax_, ay_;
  std::array<Corner, 4> corners_;
};

/// Blocks [begin, end) of all images' rows.
void sample_blocks(const GridSampleShape& s, const float* image, const float* grid, float* out,
                   int64_t begin, int64_t end) {
  Block block(s);
  const int64_t blocks = (s.cols + kBlock - 1) / kBlock;  // of a row
  for (int64_t b = begin; b < end; ++b) {
    const int64_t n = b / blocks / s.rows, row = b / blocks % s.rows, col = b % blocks * kBlock;
    const int count = static_cast<int>(std::min<int64_t>(kBlock, s.cols - col));
    block.look(grid + n * s.grid_strides[0] + row * s.grid_strides[1] + col * s.grid_strides[2],
               count);
    const float* const from = image + n * s.image_strides[0];
    float* const to = out + n * s.out_strides[0] + row * s.out_strides[2] + col * s.out_strides[3];
    for (int64_t c = 0; c < s.channels; ++c)
      block.read(from + c * s.image_strides[1], to + c * s.out_strides[1], count);
  }
}

}  // namespace

void grid_sample(const GridSampleShape& s, const float* image, const float* grid, float* out,
                 const ParallelFor& parallel) {
  const int64_t blocks = s.images * s.rows * ((s.cols + kBlock - 1) / kBlock);
  if (blocks == 0 || s.channels == 0) return;
  if (parallel == nullptr || blocks * kBlock * s.channels <= kGrain)
    return sample_blocks(s, image, grid, out, 0, blocks);
  parallel(blocks, std::max<int64_t>(1, kGrain / (kBlock * s.channels)),
           [&](int64_t begin, int64_t end) { sample_blocks(s, image, grid, out, begin, end); });
}

}  // namespace torchweld::x86

#pragma GCC pop_options
