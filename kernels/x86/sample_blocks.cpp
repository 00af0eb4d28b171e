// Images read at a grid's places, by vectors along the result's pixels, or over channels where
// these lie innermost in the image.
#include <immintrin.h>

#include <cstdint>

#include "kernels/x86/grid_sample.h"

#pragma GCC push_options
#pragma GCC optimize("O3", "fp-contract=off")
#pragma GCC target("avx2,fma")

#include "kernels/x86/sample_places.h"

namespace torchweld::x86 {
namespace {

template <class T, Interpolation kMode, int kDims>
class Sampler {
 public:
  Sampler(const GridSample& call, const void* x, const void* grid, void* out)
      : c_(call),
        x_(static_cast<const T*>(x)),
        grid_(static_cast<const T*>(grid)),
        out_(static_cast<T*>(out)) {
    for (int d = 0; d < kDims; ++d) axes_[d] = Axis<T, kDims>(call, d);
  }

  void block(int64_t index) {
    const int64_t image = index / c_.blocks(), first = index % c_.blocks() * kBlock;
    const int64_t count = c_.pixels() - first < kBlock ? c_.pixels() - first : kBlock;
    read_coordinates(grid_ + image * c_.grid_image, first, count);
    for (int64_t v = 0; v * kLanes < count; ++v) find_places(v);
    const T* const x = x_ + image * c_.x_image;
    T* const out = out_ + image * c_.out_image + first * c_.out_pixel;
    if (c_.x_channel == 1 && c_.channels >= kLanes) return over_channels(x, count, out);
    for (int64_t channel = 0; channel < c_.channels; ++channel)
      over_pixels(x + channel * c_.x_channel, count, out + channel * c_.out_channel);
  }

 private:
  using L = Lanes<T>;
  using V = typename L::V;
  using I = typename L::I;
  using Int = typename L::Int;
  using TapsOf = Taps<kMode, kDims>;
  static constexpr int64_t kLanes = L::kCount, kBlock = GridSample::kBlock;
  static constexpr int kSide = TapsOf::kSide, kTaps = TapsOf::kAll;

  template <class Vector, class E>
  static Vector load(const E* p) {
    Vector v;
    __builtin_memcpy(&v, p, sizeof(v));
    return v;
  }
  template <class Vector, class E>
  static void store(E* p, Vector v) {
    __builtin_memcpy(p, &v, sizeof(v));
  }

  /// Some lanes, `step` elements apart.
  static void store_some(T* p, V v, int64_t step, int64_t lanes) {
    if (step == 1 && lanes >= kLanes) return store(p, v);
    T all[kLanes];
    store(all, v);
    for (int64_t l = 0; l < lanes && l < kLanes; ++l) p[l * step] = all[l];
  }

  void read_coordinates(const T* grid, int64_t first, int64_t count) {
    int64_t p = has_pairs() ? deal_pairs(grid + first * kDims, count) : 0;
    int64_t column = (first + p) % c_.grid_sizes[0], row = (first + p) / c_.grid_sizes[0];
    for (; p < count; ++p) {
      const int64_t layer = kDims == 2 ? 0 : row / c_.grid_sizes[1];
      const T* from = grid + column * c_.grid_strides[0] + layer * c_.grid_strides[2] +
                      (row - layer * c_.grid_sizes[1]) * c_.grid_strides[1];
      for (int d = 0; d < kDims; ++d) coordinates_[d][p] = from[d * c_.grid_coordinate];
      if (++column < c_.grid_sizes[0]) continue;
      column = 0;
      ++row;
    }
    for (; p % kLanes != 0; ++p) {  // nobody's pixels, but places in the image
      for (int d = 0; d < kDims; ++d) coordinates_[d][p] = 0;
    }
  }

  /// Whether the grid is dense, two coordinates after the other.
  bool has_pairs() const {
    return kDims == 2 && c_.grid_coordinate == 1 && c_.grid_strides[0] == 2 &&
           (c_.grid_sizes[1] == 1 || c_.grid_strides[1] == 2 * c_.grid_sizes[0]);
  }

  /// How many pixels, all but a vector's rest, have got their coordinates.
  int64_t deal_pairs(const T* grid, int64_t count) {
    int64_t p = 0;
    for (; p + kLanes <= count; p += kLanes) {
      V x, y;
      L::deal(load<V>(grid + 2 * p), load<V>(grid + 2 * p + kLanes), &x, &y);
      store(coordinates_[0] + p, x);
      store(coordinates_[1] + p, y);
    }
    return p;
  }

  void find_places(int64_t v) {
    const int64_t at = v * kLanes;
    AxisTaps<T, kSide> taps[3];
    for (int d = 0; d < kDims; ++d)
      taps[d] = taps_of<T, kMode, kDims>(axes_[d], load<V>(coordinates_[d] + at));
    I all = I{} - 1;
    for (int t = 0; t < kTaps; ++t) {
      const int i = t % kSide, j = t / kSide % kSide, k = t / (kSide * kSide);
      I offset = taps[0].offset[i] + taps[1].offset[j];
      I mask = taps[0].mask[i] & taps[1].mask[j];
      if (kDims == 3) {
        offset += taps[2].offset[k];
        mask &= taps[2].mask[k];
      }
      store(places_.offset[t] + at, offset);
      store(places_.mask[t] + at, mask);
      all &= mask;
      if constexpr (kMode == Interpolation::kBilinear) {
        V weight = taps[0].weight[i] * taps[1].weight[j];
        // With three dims a pixel outside has no part in the sum, whatever its weight.
        if (kDims == 3) weight = mask == 0 ? V{} : weight * taps[2].weight[k];
        store(places_.weight[t] + at, weight);
      }
    }
    if constexpr (kMode == Interpolation::kBicubic) {
      for (int i = 0; i < kSide; ++i) {
        store(places_.weight[i] + at, taps[0].weight[i]);
        store(places_.weight[kSide + i] + at, taps[1].weight[i]);
      }
    }
    // Places of a row are at most one apart each.
    if (kSide > 1 && c_.x_strides[0] == 1)
      all &= taps[0].offset[kSide - 1] - taps[0].offset[0] == kSide - 1;
    places_.whole[v] = (kSide == 1 || c_.x_strides[0] == 1) && L::all(all);
  }

  [[gnu::always_inline]] static V combined(const V* tap, const V* weight) {
    if constexpr (kMode == Interpolation::kNearest) return tap[0];
    V total{};
    if constexpr (kMode == Interpolation::kBicubic) {
#pragma GCC unroll 4
      for (int j = 0; j < kSide; ++j) {
        const V* const t = tap + j * kSide;
        V row = weight[0] * t[0];
#pragma GCC unroll 4
        for (int i = 1; i < kSide; ++i) row = L::fma(weight[i], t[i], row);
        total = j == 0 ? weight[kSide] * row : L::fma(weight[kSide + j], row, total);
      }
    } else if constexpr (kDims == 2) {
      total = tap[0] * weight[0];
#pragma GCC unroll 4
      for (int t = 1; t < kTaps; ++t) total = L::fma(tap[t], weight[t], total);
    } else {
#pragma GCC unroll 8
      for (int t = 0; t < kTaps; ++t) total += tap[t] * weight[t];
    }
    return total;
  }

  void over_pixels(const T* x, int64_t count, T* out) const {
    for (int64_t v = 0; v * kLanes < count; ++v) {
      const int64_t at = v * kLanes;
      V taps[kTaps];
      if (places_.whole[v]) {
        read_rows(x, at, taps);
      } else {
#pragma GCC unroll 16
        for (int t = 0; t < kTaps; ++t)
          taps[t] = reinterpret_cast<V>(reinterpret_cast<I>(apart(x, places_.offset[t] + at)) &
                                        load<I>(places_.mask[t] + at));
      }
      V weights[TapsOf::kWeights];
      if constexpr (kMode != Interpolation::kNearest) {
#pragma GCC unroll 8
        for (int t = 0; t < TapsOf::kWeights; ++t) weights[t] = load<V>(places_.weight[t] + at);
      }
      const V value = combined(taps, weights);
      store_some(out + at * c_.out_pixel, value, c_.out_pixel, count - at);
    }
  }

  static V apart(const T* x, const Int* at) {
    V v;
#pragma GCC unroll 8
    for (int64_t l = 0; l < kLanes; ++l) v[l] = x[at[l]];
    return v;
  }

  /// The taps of pixels that have them all, side by side.
  void read_rows(const T* x, int64_t at, V* taps) const {
#pragma GCC unroll 4
    for (int t = 0; t < kTaps; t += kSide) {
      const Int* const from = places_.offset[t] + at;
      if constexpr (kSide == 1) taps[t] = apart(x, from);
      if constexpr (kSide == 2) L::neighbours(x, from, taps + t);
      if constexpr (kSide == 4) L::four_neighbours(x, from, taps + t);
    }
  }

  void over_channels(const T* x, int64_t count, T* out) const {
    T made[kBlock * kChunk];
    for (int64_t first = 0; first < c_.channels; first += kChunk) {
      // A vector at least: the last one repeats what the one before it did.
      const int64_t left = c_.channels - first;
      const int64_t from = left < kLanes ? c_.channels - kLanes : first;
      const int64_t width = left < kLanes ? kLanes : left < kChunk ? left : kChunk;
      for (int64_t p = 0; p < count; ++p) one_pixel(x + from, p, width, made + p * kChunk);
      put(made, width, count, out + from * c_.out_channel);
    }
  }

  /// So many channels of a pixel, at least a vector.
  void one_pixel(const T* x, int64_t p, int64_t width, T* made) const {
    alignas(32) static constexpr T kNothing[kChunk] = {};
    const T* from[kTaps];
#pragma GCC unroll 16
    for (int t = 0; t < kTaps; ++t)
      from[t] = places_.mask[t][p] != 0 ? x + places_.offset[t][p] : kNothing;
    V weights[TapsOf::kWeights];
    if constexpr (kMode != Interpolation::kNearest) {
      for (int t = 0; t < TapsOf::kWeights; ++t) weights[t] = V{} + places_.weight[t][p];
    }
    for (int64_t c = 0;;) {
      V taps[kTaps];
#pragma GCC unroll 16
      for (int t = 0; t < kTaps; ++t) taps[t] = load<V>(from[t] + c);
      store(made + c, combined(taps, weights));
      if (c + kLanes >= width) return;
      c = c + 2 * kLanes <= width ? c + kLanes : width - kLanes;
    }
  }

  /// Pixels by channels to where they belong; a few channels at a time, since planes that lie
  /// powers of two apart share lines of the first cache.
  void put(const T* made, int64_t width, int64_t count, T* out) const {
    for (int64_t c = 0;;) {
      for (int64_t p = 0; p < count; p += kLanes) {
        const int64_t lanes = count - p < kLanes ? count - p : kLanes;
        put_tile(made + p * kChunk + c, lanes, out + p * c_.out_pixel + c * c_.out_channel);
      }
      if (c + kLanes >= width) return;
      c = c + 2 * kLanes <= width ? c + kLanes : width - kLanes;
    }
  }

  [[gnu::always_inline]] void put_tile(const T* made, int64_t lanes, T* out) const {
    V rows[kLanes];
    for (int64_t l = 0; l < kLanes; ++l) rows[l] = load<V>(made + l * kChunk);
    if (c_.out_channel == 1) {
      for (int64_t l = 0; l < lanes; ++l) store(out + l * c_.out_pixel, rows[l]);
      return;
    }
    L::exchange(rows);
    for (int64_t l = 0; l < kLanes; ++l)
      store_some(out + l * c_.out_channel, rows[l], c_.out_pixel, lanes);
  }

  static constexpr int64_t kChunk = 32;  // channels: a block of pixels stays in the first cache
  const GridSample& c_;
  const T* x_;
  const T* grid_;
  T* out_;
  Axis<T, kDims> axes_[kDims];
  alignas(32) T coordinates_[kDims][kBlock];
  Places<T, kTaps, TapsOf::kWeights> places_;
};

template <class T, Interpolation kMode, int kDims>
void sample(const GridSample& call, const void* x, const void* grid, void* out, int64_t begin,
            int64_t end) {
  Sampler<T, kMode, kDims> sampler(call, x, grid, out);
  for (int64_t block = begin; block < end; ++block) sampler.block(block);
}

template <class T>
auto sampler_of(const GridSample& call) {
  const bool flat = call.dims == 2;
  if (call.mode == Interpolation::kBicubic) return sample<T, Interpolation::kBicubic, 2>;
  if (call.mode == Interpolation::kNearest)
    return flat ? sample<T, Interpolation::kNearest, 2> : sample<T, Interpolation::kNearest, 3>;
  return flat ? sample<T, Interpolation::kBilinear, 2> : sample<T, Interpolation::kBilinear, 3>;
}

}  // namespace

void sample_blocks(const GridSample& call, const void* x, const void* grid, void* out,
                   int64_t begin, int64_t end) {
  (call.dtype == DType::kF64 ? sampler_of<double>(call) : sampler_of<float>(call))(call, x, grid,
                                                                                   out, begin, end);
}

}  // namespace torchweld::x86
#pragma GCC pop_options
