#include "kernels/regions.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "kernels/real.h"

namespace torchweld {
namespace {

constexpr int64_t kFarthest = int64_t{1} << 29;  // beyond every image

/// A whole number: NaN is 0, what is too large the most.
int64_t clamped(double x, int64_t most) {
  const auto limit = static_cast<double>(most);
  return std::isnan(x) ? 0 : static_cast<int64_t>(std::clamp(x, -limit, limit));
}

/// The samples of one region along one dim of the image.
template <class T>
class Samples {
 public:
  Samples(Real<T> from, Real<T> to, int64_t cells, const RegionShape& s)
      : start_(from), sampled_(s.sampling > 0) {
    Real<T> length = to - from;
    if (!s.aligned && !s.sensitive() && length.value < 1)
      length = Real<T>(1);  // written so that NaN stays
    bin_ = length / Real<T>(static_cast<double>(cells));
    // Endless cells have no samples, as those have none whose ends are the wrong way round.
    const int64_t pixels = bin_.value < std::numeric_limits<float>::infinity()
                               ? clamped(std::ceil(bin_.value), 2 * kFarthest)
                               : 0;
    count_ = sampled_ ? s.sampling : pixels;
  }

  int64_t count() const { return count_; }

  Real<T> at(int64_t cell, int64_t i) const {
    return start_ + Real<T>(static_cast<double>(cell)) * bin_ +
           (Real<T>(static_cast<double>(i)) + Real<T>(0.5)) * bin_ /
               Real<T>(static_cast<double>(count_));
  }

  /// The first sample of a cell that lies within the image, and the first one past it. Samples rise
  /// with their number: a region far larger than the image costs no more than the image.
  std::pair<int64_t, int64_t> within(int64_t cell, int64_t size) const {
    constexpr int64_t kFewSamples = 16;
    if (sampled_ || count_ <= kFewSamples) return {0, count_};
    const auto first = [&](auto holds) {
      int64_t low = 0, high = count_;
      while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        (holds(at(cell, middle).value) ? high : low) =
            holds(at(cell, middle).value) ? middle : middle + 1;
      }
      return low;
    };
    return {first([](auto at) { return at >= -1; }),
            first([&](auto at) { return at > static_cast<double>(size); })};
  }

 private:
  Real<T> start_, bin_;
  bool sampled_;
  int64_t count_ = 0;
};

/// The two pixels on both sides of a place along one dim, and their weights.
template <class T>
struct Sides {
  int64_t low = 0, high = 0;
  Real<T> far, near;     // the weight of high and of low
  bool outside = false;  // by more than a pixel: the sample is 0

  Sides(Real<T> at, int64_t size) {
    outside = at.value < -1 || at.value > static_cast<double>(size);
    if (outside) return;
    if (at.value < 0) at = Real<T>(0);
    low = at.value >= 0 ? static_cast<int64_t>(at.value) : 0;  // NaN reads, and stays NaN
    high = std::min(low + 1, size - 1);
    if (low >= size - 1) at = Real<T>(static_cast<double>(low = size - 1));
    far = at - Real<T>(static_cast<double>(low));
    near = Real<T>(1) - far;
  }
};

/// The pixels [begin, end) of one dim that a cell covers.
template <class T>
struct Covered {
  int64_t begin, end;

  Covered(int64_t from, int64_t length, int64_t cells, int64_t index, int64_t size) {
    const Real<T> bin = Real<T>(static_cast<double>(std::max<int64_t>(length, 1))) /
                        Real<T>(static_cast<double>(cells));
    const auto edge = [&](int64_t i) { return (Real<T>(static_cast<double>(i)) * bin).value; };
    begin = std::clamp<int64_t>(clamped(std::floor(edge(index)), 2 * kFarthest) + from, 0, size);
    end = std::clamp<int64_t>(clamped(std::ceil(edge(index + 1)), 2 * kFarthest) + from, 0, size);
  }
};

template <class T>
class Regions {
 public:
  Regions(const RegionShape& s, const RegionPointers& at)
      : s_(s), at_(at), images_(static_cast<const T*>(at.images)) {}

  void run(int64_t begin, int64_t end) const {
    for (int64_t region = begin; region < end; ++region) {
      T* const out = static_cast<T*>(at_.out) + region * s_.cells();
      int32_t* const places = at_.places == nullptr ? nullptr : at_.places + region * s_.cells();
      const auto index = corner(region, 0).value;
      if (!(index >= 0 && index < static_cast<double>(s_.images))) {  // as NaN isn't
        std::fill(out, out + s_.cells(), T{});
        if (places != nullptr) std::fill(places, places + s_.cells(), -1);
        continue;
      }
      const T* const image = images_ + static_cast<int64_t>(index) * s_.image_strides[0];
      switch (s_.mode) {
        case RegionMode::kAlign:
        case RegionMode::kSensitiveAlign:
          align(region, image, out);
          break;
        case RegionMode::kPool:
          pool(region, image, out, places);
          break;
        case RegionMode::kSensitivePool:
          average(region, image, out);
      }
      if (s_.sensitive() && places != nullptr) std::iota(places, places + s_.cells(), 0);
    }
  }

 private:
  Real<T> corner(int64_t region, int64_t which) const {
    return Real<T>::load(static_cast<const T*>(at_.regions) + region * s_.region_strides[0] +
                         which * s_.region_strides[1]);
  }
  Real<T> pixel(const T* image, int64_t y, int64_t x) const {
    return Real<T>::load(image + y * s_.image_strides[2] + x * s_.image_strides[3]);
  }

  /// With the image of the channel that it reads.
  template <class Work>
  void for_each_cell(const T* image, const Work& work) const {
    for (int64_t cell = 0; cell < s_.cells(); ++cell) {
      const int64_t column = cell % s_.out_width, row = cell / s_.out_width % s_.out_height;
      const int64_t channel = s_.sensitive() ? cell : cell / s_.out_width / s_.out_height;
      work(image + channel * s_.image_strides[1], row, column);
    }
  }

  void align(int64_t region, const T* image, T* out) const {
    const Real<T> scale(s_.scale), offset(s_.aligned || s_.sensitive() ? 0.5 : 0.0);
    const auto side = [&](int64_t which) { return corner(region, which) * scale - offset; };
    const Samples<T> across(side(1), side(3), s_.out_width, s_);
    const Samples<T> down(side(2), side(4), s_.out_height, s_);
    // Without samples a sensitive cell is 0 / 0.
    const Real<T> count(static_cast<double>(
        std::max<int64_t>(down.count() * across.count(), s_.sensitive() ? 0 : 1)));
    // Where the samples lie is the same in all channels.
    std::vector<Sample> samples;
    std::vector<size_t> ends;
    for (int64_t row = 0; row < s_.out_height; ++row) {
      for (int64_t column = 0; column < s_.out_width; ++column) {
        add_samples(down, row, across, column, &samples);
        ends.push_back(samples.size());
      }
    }
    for (int64_t cell = 0; cell < s_.cells();) {
      size_t i = 0;
      for (const size_t end : ends) {
        const auto channel = s_.sensitive() ? cell : cell / static_cast<int64_t>(ends.size());
        const T* const pixels = image + channel * s_.image_strides[1];
        Real<T> sum;
        for (; i < end; ++i) sum = sum + samples[i].of(pixels);
        (sum / count).store(out + cell++);
      }
    }
  }

  struct Sample {
    std::array<int64_t, 4> at;  ///< the pixels around it
    std::array<Real<T>, 4> weights;

    Real<T> of(const T* pixels) const {
      const auto part = [&](size_t i) { return weights[i] * Real<T>::load(pixels + at[i]); };
      return part(0) + part(1) + part(2) + part(3);
    }
  };

  void add_samples(const Samples<T>& down, int64_t row, const Samples<T>& across, int64_t column,
                   std::vector<Sample>* samples) const {
    const auto [top, bottom] = down.within(row, s_.height);
    const auto [left, right] = across.within(column, s_.width);
    for (int64_t i = top; i < bottom; ++i) {
      const Sides<T> y(down.at(row, i), s_.height);
      if (y.outside) continue;
      for (int64_t j = left; j < right; ++j) {
        const Sides<T> x(across.at(column, j), s_.width);
        if (x.outside) continue;
        const auto at = [&](int64_t v, int64_t h) {
          return v * s_.image_strides[2] + h * s_.image_strides[3];
        };
        samples->push_back(
            {{at(y.low, x.low), at(y.low, x.high), at(y.high, x.low), at(y.high, x.high)},
             {y.near * x.near, y.near * x.far, y.far * x.near, y.far * x.far}});
      }
    }
  }

  /// Rounded to pixels.
  int64_t side(int64_t region, int64_t which) const {
    return clamped(std::round((corner(region, which) * Real<T>(s_.scale)).value), kFarthest);
  }

  void pool(int64_t region, const T* image, T* out, int32_t* places) const {
    const int64_t left = side(region, 1), top = side(region, 2);
    const int64_t across = side(region, 3) - left + 1, down = side(region, 4) - top + 1;
    for_each_cell(image, [&](const T* channel, int64_t row, int64_t column) {
      const Covered<T> rows(top, down, s_.out_height, row, s_.height);
      const Covered<T> columns(left, across, s_.out_width, column, s_.width);
      Real<T> best;
      int64_t place = -1;
      if (rows.begin < rows.end && columns.begin < columns.end)
        best = Real<T>(-std::numeric_limits<float>::max());
      for (int64_t y = rows.begin; y < rows.end; ++y) {
        for (int64_t x = columns.begin; x < columns.end; ++x) {
          const Real<T> value = pixel(channel, y, x);
          if (!(value.value > best.value)) continue;  // NaN never is
          best = value;
          place = y * s_.width + x;
        }
      }
      best.store(out++);
      if (places != nullptr) *places++ = static_cast<int32_t>(place);
    });
  }

  /// Means of pixels; as in torchvision, never of the image's last row and column.
  void average(int64_t region, const T* image, T* out) const {
    const int64_t left = side(region, 1), top = side(region, 2);
    const int64_t across = side(region, 3) - left, down = side(region, 4) - top;
    for_each_cell(image, [&](const T* channel, int64_t row, int64_t column) {
      const Covered<T> rows(top, down, s_.out_height, row, s_.height - 1);
      const Covered<T> columns(left, across, s_.out_width, column, s_.width - 1);
      Real<T> sum;
      for (int64_t y = rows.begin; y < rows.end; ++y)
        for (int64_t x = columns.begin; x < columns.end; ++x) sum = sum + pixel(channel, y, x);
      const int64_t area = (rows.end - rows.begin) * (columns.end - columns.begin);
      const bool empty = rows.end <= rows.begin || columns.end <= columns.begin;
      (empty ? Real<T>(0) : sum / Real<T>(static_cast<double>(area))).store(out++);
    });
  }

  const RegionShape& s_;
  const RegionPointers& at_;
  const T* images_;
};

template <class T>
void run(const RegionShape& s, const RegionPointers& at, const ParallelFor& parallel) {
  const Regions<T> regions(s, at);
  if (parallel == nullptr) return regions.run(0, s.regions);
  parallel(s.regions, 1, [&](int64_t begin, int64_t end) { regions.run(begin, end); });
}

}  // namespace

void run_regions(const RegionShape& shape, const RegionPointers& pointers,
                 const ParallelFor& parallel) {
  switch (shape.dtype) {
    case DType::kF64:
      return run<double>(shape, pointers, parallel);
    case DType::kF16:
      return run<F16>(shape, pointers, parallel);
    default:
      return run<float>(shape, pointers, parallel);
  }
}

}  // namespace torchweld
