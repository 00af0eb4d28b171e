#include "kernels/x86/resize_taps.h"

#include <algorithm>
#include <cmath>

namespace torchweld::x86 {
namespace {

struct Tap {
  int64_t from = 0;
  float weight = 1;
};

/// A cubic through four places, for places less than one away and for those up to two away.
float inner_cubic(float x, float a) { return std::fma(((a + 2) * x - (a + 3)) * x, x, 1.0f); }
float outer_cubic(float x, float a) {
  return std::fma(std::fma(std::fma(a, x, -5 * a), x, 8 * a), x, -4 * a);
}

class Line {
 public:
  explicit Line(const ResizeDim& dim) : dim_(dim), scale_(scale_of(dim)) {
    if (dim.antialiases) {
      const double half = dim.filter == ResizeFilter::kCubic ? 2 : 1;
      support_ = static_cast<float>(scale_ >= 1 ? half * static_cast<double>(scale_) : half);
      inverse_ = scale_ >= 1 ? static_cast<float>(1.0 / static_cast<double>(scale_)) : 1.0f;
    }
  }

  /// Appends those of a place.
  void add(int64_t at, std::vector<Tap>* taps) const {
    if (dim_.antialiases) {
      if (dim_.in != dim_.out) return add_window(at, taps);
      taps->push_back({at, 1});
    } else if (dim_.filter == ResizeFilter::kLinear) {
      add_two(at, taps);
    } else if (dim_.filter == ResizeFilter::kCubic) {
      add_four(at, taps);
    } else {
      taps->push_back({nearest(at), 1});
    }
  }

 private:
  static float scale_of(const ResizeDim& d) {
    if (d.aligns)
      return d.out > 1 ? static_cast<float>(d.in - 1) / static_cast<float>(d.out - 1) : 0;
    return d.factor > 0 ? static_cast<float>(1.0 / d.factor)
                        : static_cast<float>(d.in) / static_cast<float>(d.out);
  }

  int64_t nearest(int64_t at) const {
    if (dim_.filter == ResizeFilter::kNearest) {
      if (dim_.out == dim_.in) return at;
      if (dim_.out == 2 * dim_.in) return at / 2;
    }
    const float place =
        dim_.filter == ResizeFilter::kNearest
            ? static_cast<float>(at) * scale_
            : static_cast<float>((static_cast<double>(at) + 0.5) * static_cast<double>(scale_));
    return std::min(static_cast<int64_t>(std::floor(place)), dim_.in - 1);
  }

  /// The place in the source, and how far it is beyond the last whole one.
  float place(int64_t at, int64_t* whole) const {
    float x = dim_.aligns ? scale_ * static_cast<float>(at)
                          : std::fma(scale_, static_cast<float>(at) + 0.5f, -0.5f);
    if (dim_.filter == ResizeFilter::kLinear) x = std::max(x, 0.0f);
    *whole = std::min(static_cast<int64_t>(std::floor(x)), dim_.in - 1);
    return std::clamp(x - static_cast<float>(*whole), 0.0f, 1.0f);
  }

  void add_two(int64_t at, std::vector<Tap>* taps) const {
    int64_t whole = at;
    const float t = dim_.in == dim_.out ? 0 : place(at, &whole);
    taps->push_back({whole, 1 - t});
    taps->push_back({dim_.in == dim_.out ? at : std::min(whole + 1, dim_.in - 1), t});
  }

  void add_four(int64_t at, std::vector<Tap>* taps) const {
    constexpr float kA = -0.75f;
    int64_t whole = 0;
    const float t = place(at, &whole), u = 1 - t;
    const float weights[] = {outer_cubic(t + 1, kA), inner_cubic(t, kA), inner_cubic(u, kA),
                             outer_cubic(u + 1, kA)};
    for (int64_t k = 0; k < 4; ++k)
      taps->push_back({std::clamp<int64_t>(whole + k - 1, 0, dim_.in - 1), weights[k]});
  }

  float filter(float x) const {
    constexpr float kA = -0.5f;
    x = std::abs(x);
    if (dim_.filter == ResizeFilter::kLinear) return x < 1 ? 1 - x : 0;
    return x < 1 ? inner_cubic(x, kA) : x < 2 ? outer_cubic(x, kA) : 0;
  }

  void add_window(int64_t at, std::vector<Tap>* taps) const {
    const auto center =
        static_cast<float>(static_cast<double>(scale_) * (static_cast<double>(at) + 0.5));
    const auto rounded = [](float x) { return static_cast<int64_t>(static_cast<double>(x) + 0.5); };
    const int64_t first = std::max<int64_t>(rounded(center - support_), 0);
    const int64_t most = static_cast<int64_t>(std::ceil(support_)) * 2 + 1;
    const int64_t count =
        std::clamp<int64_t>(std::min(rounded(center + support_), dim_.in) - first, 0, most);
    float total = 0;
    for (int64_t k = 0; k < count; ++k) {
      const double distance = static_cast<double>(static_cast<float>(k + first) - center) + 0.5;
      const float weight = filter(static_cast<float>(distance * static_cast<double>(inverse_)));
      taps->push_back({first + k, weight});
      total += weight;
    }
    if (total == 0) return;
    for (auto tap = taps->end() - count; tap != taps->end(); ++tap) tap->weight /= total;
  }

  const ResizeDim& dim_;
  float scale_, support_ = 0, inverse_ = 1;
};

/// From the taps of all places, one after the other.
ResizeTaps table(const std::vector<Tap>& taps, std::vector<int32_t> counts) {
  ResizeTaps all;
  all.most = counts.empty() ? 1 : *std::max_element(counts.begin(), counts.end());
  auto tap = taps.begin();
  for (const int32_t count : counts) {
    for (int64_t k = 0; k < all.most; ++k) {
      all.from.push_back(k < count ? static_cast<int32_t>(tap[k].from) : 0);
      all.weights.push_back(k < count ? tap[k].weight : 0);
    }
    tap += count;
  }
  all.counts = std::move(counts);
  return all;
}

}  // namespace

ResizeTaps resize_taps(const ResizeDim& dim) {
  const Line line(dim);
  std::vector<Tap> taps;
  std::vector<int32_t> counts;
  for (int64_t at = 0; at < dim.out; ++at) {
    const auto before = std::ssize(taps);
    line.add(at, &taps);
    counts.push_back(static_cast<int32_t>(std::ssize(taps) - before));
  }
  return table(taps, std::move(counts));
}

ResizeTaps merged(const ResizeTaps& outer, const ResizeTaps& inner, int64_t inner_size) {
  std::vector<Tap> taps;
  std::vector<int32_t> counts;
  for (int64_t z = 0; z < outer.places(); ++z) {
    for (int64_t y = 0; y < inner.places(); ++y) {
      const int32_t of_outer = outer.counts[static_cast<size_t>(z)],
                    of_inner = inner.counts[static_cast<size_t>(y)];
      counts.push_back(of_outer * of_inner);
      for (int64_t i = z * outer.most; i < z * outer.most + of_outer; ++i) {
        for (int64_t j = y * inner.most; j < y * inner.most + of_inner; ++j) {
          const auto at = static_cast<size_t>(i), in = static_cast<size_t>(j);
          taps.push_back({outer.from[at] * inner_size + inner.from[in],
                          outer.weights[at] * inner.weights[in]});
        }
      }
    }
  }
  return table(taps, std::move(counts));
}

}  // namespace torchweld::x86
