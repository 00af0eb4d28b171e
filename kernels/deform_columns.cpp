// Where a tap reads is found once for all channels of its group; torchvision finds it for each.
#include "kernels/deform_columns.h"

#include <algorithm>
#include <cmath>

#include "kernels/real.h"

namespace torchweld {
namespace {

constexpr int64_t kRun = 256;  // positions: their places stay in the first cache

/// What one tap reads at some positions: four neighbours in the bordered image, and their weights.
template <class T>
struct Places {
  std::array<int64_t, kRun> corner;
  std::array<std::array<Real<T>, 4>, kRun> weights;
  std::array<Real<T>, kRun> factor;
};

template <class T>
class Columns {
 public:
  Columns(const DeformShape& s, const DeformPointers& at)
      : s_(s),
        image_(static_cast<const T*>(at.image)),
        offsets_(static_cast<const T*>(at.offsets)),
        mask_(static_cast<const T*>(at.mask)),
        bordered_(static_cast<T*>(at.bordered)),
        columns_(static_cast<T*>(at.columns)) {}

  /// With zeros around each channel no neighbour of a place has to be asked whether it is there.
  void add_border(int64_t begin, int64_t end) const {
    std::fill(bordered_ + begin * s_.plane(), bordered_ + end * s_.plane(), T{});
    for (int64_t c = begin; c < end; ++c) {
      for (int64_t y = 0; y < s_.size[0]; ++y) {
        const T* from = image_ + c * s_.image_strides[0] + y * s_.image_strides[1];
        T* to = bordered_ + c * s_.plane() + (y + 1) * s_.row() + 1;
        for (int64_t x = 0; x < s_.size[1]; ++x) to[x] = from[x * s_.image_strides[2]];
      }
    }
  }

  int64_t runs() const { return (s_.positions() + kRun - 1) / kRun; }

  /// Of all runs of all taps of all groups.
  void sample(int64_t begin, int64_t end) const {
    Places<T> places;
    const int64_t group_channels = s_.channels / s_.groups;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i % runs() * kRun, group = i / runs() / s_.taps();
      const int64_t tap = i / runs() % s_.taps(), count = std::min(kRun, s_.positions() - first);
      find(group, tap, first, count, &places);
      for (int64_t c = group * group_channels; c < (group + 1) * group_channels; ++c) {
        read(places, count, bordered_ + c * s_.plane(),
             columns_ + (c * s_.taps() + tap) * s_.positions() + first);
      }
    }
  }

 private:
  void find(int64_t group, int64_t tap, int64_t first, int64_t count, Places<T>* places) const {
    const int64_t of = (group * s_.taps() + tap) * s_.positions();
    const int64_t down = tap / s_.filter[1] * s_.dilation[0] - s_.padding[0];
    const int64_t across = tap % s_.filter[1] * s_.dilation[1] - s_.padding[1];
    int64_t row = first / s_.out[1], column = first % s_.out[1];
    for (int64_t p = 0; p < count; ++p) {
      const T* offset = offsets_ + 2 * of + first + p;
      place(moved(row * s_.stride[0] + down, offset),
            moved(column * s_.stride[1] + across, offset + s_.positions()), p, places);
      const auto i = static_cast<size_t>(p);
      places->factor[i] = mask_ == nullptr ? Real<T>(1) : Real<T>::load(mask_ + of + first + p);
      if (++column == s_.out[1]) {
        column = 0;
        ++row;
      }
    }
  }

  static Real<T> moved(int64_t from, const T* offset) {
    return Real<T>(static_cast<double>(from)) + Real<T>::load(offset);
  }

  void place(Real<T> y, Real<T> x, int64_t p, Places<T>* places) const {
    const auto i = static_cast<size_t>(p);
    const auto height = static_cast<double>(s_.size[0]), width = static_cast<double>(s_.size[1]);
    places->corner[i] = (s_.size[0] + 1) * s_.row();  // the rows of zeros below the image
    places->weights[i] = {};
    if (y.value <= -1 || y.value >= height || x.value <= -1 || x.value >= width) return;
    if (std::isnan(y.value) || std::isnan(x.value)) {
      places->weights[i].fill(y + x);
      return;
    }
    const Real<T> top(std::floor(y.value)), left(std::floor(x.value)), one(1);
    const Real<T> below = y - top, right = x - left, above = one - below, before = one - right;
    places->corner[i] =
        (static_cast<int64_t>(top.value) + 1) * s_.row() + static_cast<int64_t>(left.value) + 1;
    places->weights[i] = {above * before, above * right, below * before, below * right};
  }

  void read(const Places<T>& places, int64_t count, const T* channel, T* out) const {
    for (int64_t p = 0; p < count; ++p) {
      const auto i = static_cast<size_t>(p);
      const T* const at = channel + places.corner[i];
      const auto& w = places.weights[i];
      const Real<T> value = w[0] * Real<T>::load(at) + w[1] * Real<T>::load(at + 1) +
                            w[2] * Real<T>::load(at + s_.row()) +
                            w[3] * Real<T>::load(at + s_.row() + 1);
      (places.factor[i] * value).store(out + p);
    }
  }

  const DeformShape& s_;
  const T *image_, *offsets_, *mask_;
  T *bordered_, *columns_;
};

template <class T>
void run(const DeformShape& s, const DeformPointers& at, const ParallelFor& parallel) {
  constexpr int64_t kGrain = 16384;  // elements: some microseconds
  const Columns<T> columns(s, at);
  const auto in_parts = [&](int64_t count, int64_t each, const auto& work) {
    if (parallel == nullptr) return work(0, count);
    parallel(count, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, each)), work);
  };
  in_parts(s.channels, s.plane(),
           [&](int64_t begin, int64_t end) { columns.add_border(begin, end); });
  in_parts(s.groups * s.taps() * columns.runs(), kRun * s.channels / s.groups,
           [&](int64_t begin, int64_t end) { columns.sample(begin, end); });
}

}  // namespace

void run_deform_columns(const DeformShape& shape, const DeformPointers& pointers,
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
