// Poolings by hand that say where each maximum is, by GCC's vector types for AVX2: a channel a
// lane.
#include "kernels/x86/windows.h"

#pragma GCC push_options
#pragma GCC optimize("O3")
#pragma GCC target("avx2")

namespace torchweld::x86 {
namespace {

using V [[gnu::vector_size(32)]] = float;
using I [[gnu::vector_size(32)]] = int32_t;
constexpr int64_t kLanes = 8;

/// The maxima that a window sees, one a channel, and where.
struct Maxima {
  V values;
  I places;
};

class Finder {
 public:
  /// Channels [first, first + count) of all images; lanes past the last one are the last again.
  Finder(const WindowPool& pool, const float* x, int64_t first, int64_t count)
      : p_(pool), count_(count) {
    const auto at = [&](int64_t channel, const WindowPool::Strides& strides) {
      return channel / p_.channels * strides.images + channel % p_.channels * strides.channels;
    };
    are_side_by_side_ = count == kLanes;
    for (int64_t l = 0; l < kLanes; ++l) {
      const int64_t channel = first + (l < count ? l : count - 1);
      x_[l] = x + at(channel, p_.x);
      to_[l] = at(channel, p_.out);
      are_side_by_side_ &= x_[l] == x_[0] + l;
    }
  }

  void run(float* out, int64_t* places) const {
    const auto planes = static_cast<int64_t>(p_.planes.size()),
               rows = static_cast<int64_t>(p_.rows.size()),
               columns = static_cast<int64_t>(p_.columns.size());
    for (int64_t plane = 0; plane < planes; ++plane) {
      for (int64_t row = 0; row < rows; ++row) {
        for (int64_t column = 0; column < columns; ++column) {
          const Maxima m =
              find(p_.planes.data()[plane], p_.rows.data()[row], p_.columns.data()[column]);
          const int64_t to = plane * p_.out.planes + row * p_.out.rows + column * p_.out.columns;
          for (int64_t l = 0; l < count_; ++l) {
            out[to_[l] + to] = m.values[l];
            places[to_[l] + to] = m.places[l];
          }
        }
      }
    }
  }

 private:
  V load(int64_t from) const {
    V v;
    if (are_side_by_side_) {
      __builtin_memcpy(&v, x_[0] + from, sizeof(v));
      return v;
    }
    return V{x_[0][from], x_[1][from], x_[2][from], x_[3][from],
             x_[4][from], x_[5][from], x_[6][from], x_[7][from]};
  }

  Maxima find(const Window& planes, const Window& rows, const Window& columns) const {
    const auto place_of = [&](int64_t d, int64_t i, int64_t j) {
      return static_cast<int32_t>((d * p_.height + i) * p_.width + j);
    };
    Maxima m{V{} - __builtin_inff(), I{} + place_of(planes.begin, rows.begin, columns.begin)};
    for (int64_t d = planes.begin; d < planes.end; ++d) {
      for (int64_t i = rows.begin; i < rows.end; ++i) {
        for (int64_t j = columns.begin; j < columns.end; ++j) {
          const V x = load(d * p_.x.planes + i * p_.x.rows + j * p_.x.columns);
          const I better = (x > m.values) | (x != x);
          m.values = better ? x : m.values;
          m.places = better ? I{} + place_of(d, i, j) : m.places;
        }
      }
    }
    return m;
  }

  const WindowPool& p_;
  int64_t count_;
  const float* x_[kLanes];
  int64_t to_[kLanes];
  bool are_side_by_side_;
};

}  // namespace

void find_places(const WindowPool& pool, const float* x, float* out, int64_t* places, int64_t begin,
                 int64_t end) {
  // Channels, not tasks, since there may be fewer tasks: the share of each is that of its place.
  const int64_t channels = pool.images * pool.channels, tasks = pool.tasks();
  const int64_t last = end * channels / tasks;
  for (int64_t i = begin * channels / tasks; i < last; i += kLanes)
    Finder(pool, x, i, last - i < kLanes ? last - i : kLanes).run(out, places);
}

}  // namespace torchweld::x86
#pragma GCC pop_options
