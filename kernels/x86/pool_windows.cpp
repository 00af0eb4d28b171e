// Poolings by hand, by GCC's vector types for AVX2: along a plane's columns or over channels.
#include "kernels/x86/windows.h"

#pragma GCC push_options
#pragma GCC optimize("O3")
#pragma GCC target("avx2")

namespace torchweld::x86 {
namespace {

using V [[gnu::vector_size(32)]] = float;
using I [[gnu::vector_size(32)]] = int32_t;
constexpr int64_t kLanes = 8;

[[gnu::always_inline]] inline V load(const float* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}

/// Some lanes; the others are 0.
[[gnu::always_inline]] inline V load_some(const float* p, int64_t lanes) {
  float some[kLanes] = {};
  for (int64_t l = 0; l < lanes; ++l) some[l] = p[l];
  return load(some);
}

[[gnu::always_inline]] inline void store(float* p, V v, int64_t lanes) {
  if (lanes >= kLanes) {
    __builtin_memcpy(p, &v, sizeof(v));
    return;
  }
  float all[kLanes];
  __builtin_memcpy(all, &v, sizeof(v));
  for (int64_t l = 0; l < lanes; ++l) p[l] = all[l];
}

struct Sum {
  static constexpr float kNothing = 0;
  static V take(V total, V x) { return total + x; }
  static float take(float total, float x) { return total + x; }
};

struct Largest {
  static constexpr float kNothing = -__builtin_inff();
  static V take(V total, V x) {
    const I better = (x > total) | (x != x);
    return better ? x : total;
  }
  static float take(float total, float x) { return x > total || x != x ? x : total; }
};

template <class Op>
class Pooler {
 public:
  Pooler(const WindowPool& pool, const float* x, float* out)
      : p_(pool), x_(x), out_(out), columns_(static_cast<int64_t>(pool.columns.size())) {}

  /// One row of the result, all channels.
  void over_channels(int64_t task) const {
    const auto rows = static_cast<int64_t>(p_.rows.size());
    const int64_t image = task / rows, row = task % rows;
    for (int64_t column = 0; column < columns_; ++column) {
      const Window& r = p_.rows.data()[row];
      const Window& c = p_.columns.data()[column];
      const float* x = x_ + image * p_.x.images;
      float* out = out_ + image * p_.out.images + row * p_.out.rows + column * p_.out.columns;
      int64_t channel = 0;
      for (; channel + 4 * kLanes <= p_.channels; channel += 4 * kLanes)
        pixel<4>(x + channel, r, c, out + channel, kLanes);
      for (; channel < p_.channels; channel += kLanes)
        pixel<1>(x + channel, r, c, out + channel, p_.channels - channel);
    }
  }

  /// One channel of an image.
  void over_columns(int64_t task) const {
    const int64_t image = task / p_.channels, channel = task % p_.channels;
    const float* x = x_ + image * p_.x.images + channel * p_.x.channels;
    float* out = out_ + image * p_.out.images + channel * p_.out.channels;
    const auto rows = static_cast<int64_t>(p_.rows.size());
    const int64_t pitch =
        (columns_ + kLanes) * p_.step + p_.wide + kLanes;  // as far as vectors read
    for (int64_t row = 0; row < rows;) {
      const int64_t first = p_.rows.data()[row].begin;
      int64_t end = row;
      while (p_.step > 0 && end < rows && (p_.rows.data()[end].end - first) * pitch <= kBand) ++end;
      if (end == row) {
        one_by_one(x, out, row++);
        continue;
      }
      float band[kBand];
      const int64_t height = p_.rows.data()[end - 1].end - first;
      copy_band(x + first * p_.x.rows, height, pitch, band);
      for (; row < end; ++row)
        side_by_side(band + (p_.rows.data()[row].begin - first) * pitch, pitch, out, row);
    }
  }

 private:
  static constexpr int64_t kBand = 1 << 13;  // floats, on the stack and in the first cache

  float divided(float total, const Window& r, const Window& c) const {
    if (!p_.averages) return total;
    if (p_.divides_twice)
      return total / static_cast<float>(r.divisor) / static_cast<float>(c.divisor);
    return total / static_cast<float>(int64_t{r.divisor} * c.divisor);
  }

  template <int kVectors>
  void pixel(const float* x, const Window& r, const Window& c, float* out, int64_t lanes) const {
    V total[kVectors];
    for (V& t : total) t = V{} + Op::kNothing;
    for (int64_t i = r.begin; i < r.end; ++i) {
      for (int64_t j = c.begin; j < c.end; ++j) {
        const float* from = x + i * p_.x.rows + j * p_.x.columns;
        for (int v = 0; v < kVectors; ++v)
          total[v] =
              Op::take(total[v], lanes < kLanes ? load_some(from, lanes) : load(from + v * kLanes));
      }
    }
    for (int v = 0; v < kVectors; ++v) {
      if (p_.averages && p_.divides_twice) {
        total[v] = total[v] / static_cast<float>(r.divisor) / static_cast<float>(c.divisor);
      } else if (p_.averages) {
        total[v] /= static_cast<float>(int64_t{r.divisor} * c.divisor);
      }
      store(out + v * kLanes, total[v], lanes);
    }
  }

  void one_by_one(const float* x, float* out, int64_t row) const {
    const Window& r = p_.rows.data()[row];
    for (int64_t column = 0; column < columns_; ++column) {
      const Window& c = p_.columns.data()[column];
      float total = Op::kNothing;
      for (int64_t i = r.begin; i < r.end; ++i) {
        for (int64_t j = c.begin; j < c.end; ++j)
          total = Op::take(total, x[i * p_.x.rows + j * p_.x.columns]);
      }
      out[row * p_.out.rows + column * p_.out.columns] = divided(total, r, c);
    }
  }

  /// Rows of the image with what changes nothing around them, so that no window is cut.
  void copy_band(const float* x, int64_t rows, int64_t pitch, float* band) const {
    for (int64_t i = 0; i < rows; ++i, x += p_.x.rows, band += pitch) {
      for (int64_t j = 0; j < p_.before; ++j) band[j] = Op::kNothing;
      float* const to = band + p_.before;
      int64_t count = pitch - p_.before;
      if (count > p_.width) count = p_.width;
      if (p_.x.columns == 1) {
        for (int64_t j = 0; j < count; ++j) to[j] = x[j];
      } else {
        for (int64_t j = 0; j < count; ++j) to[j] = x[j * p_.x.columns];
      }
      for (int64_t j = p_.before + count; j < pitch; ++j) band[j] = Op::kNothing;
    }
  }

  /// A row of the result from the rows of a band.
  void side_by_side(const float* band, int64_t pitch, float* out, int64_t row) const {
    const Window& r = p_.rows.data()[row];
    for (int64_t column = 0; column < columns_; column += kLanes) {
      const int64_t lanes = columns_ - column < kLanes ? columns_ - column : kLanes;
      V total = V{} + Op::kNothing;
      for (int64_t i = 0; i < r.end - r.begin; ++i) {
        const float* from = band + i * pitch + column * p_.step;
        for (int64_t j = 0; j < p_.wide; ++j) total = Op::take(total, apart(from + j));
      }
      if (p_.averages) {
        const V by = load(p_.column_divisors.data() + column);
        const auto rows = static_cast<float>(r.divisor);
        total = p_.divides_twice ? total / rows / by : total / (by * rows);
      }
      float* const to = out + row * p_.out.rows + column * p_.out.columns;
      if (p_.out.columns == 1) {
        store(to, total, lanes);
        continue;
      }
      for (int64_t l = 0; l < lanes; ++l) to[l * p_.out.columns] = total[l];
    }
  }

  /// Elements a step apart, of a band, whose rows are long enough to read further.
  [[gnu::always_inline]] V apart(const float* p) const {
    if (p_.step == 1) return load(p);
    if (p_.step == 2)
      return __builtin_shuffle(load(p), load(p + kLanes), I{0, 2, 4, 6, 8, 10, 12, 14});
    V v;
    for (int64_t l = 0; l < kLanes; ++l) v[l] = p[l * p_.step];
    return v;
  }

  const WindowPool& p_;
  const float* x_;
  float* out_;
  int64_t columns_;
};

/// Maxima and where they are.
void find_places(const WindowPool& p, const float* x, float* out, int64_t* places, int64_t image,
                 int64_t channel) {
  x += image * p.x.images + channel * p.x.channels;
  const int64_t to = image * p.out.images + channel * p.out.channels;
  for (size_t row = 0; row < p.rows.size(); ++row) {
    for (size_t column = 0; column < p.columns.size(); ++column) {
      const Window& r = p.rows.data()[row];
      const Window& c = p.columns.data()[column];
      float largest = Largest::kNothing;
      int64_t place = r.begin * p.width + c.begin;
      for (int64_t i = r.begin; i < r.end; ++i) {
        for (int64_t j = c.begin; j < c.end; ++j) {
          const float value = x[i * p.x.rows + j * p.x.columns];
          if (!(value > largest || value != value)) continue;
          largest = value;
          place = i * p.width + j;
        }
      }
      const int64_t at = to + static_cast<int64_t>(row) * p.out.rows +
                         static_cast<int64_t>(column) * p.out.columns;
      out[at] = largest;
      places[at] = place;
    }
  }
}

template <class Op>
void pool_by(const WindowPool& pool, const float* x, float* out, int64_t begin, int64_t end) {
  const Pooler<Op> pooler(pool, x, out);
  for (int64_t task = begin; task < end; ++task) {
    if (pool.has_channels_innermost()) {
      pooler.over_channels(task);
    } else {
      pooler.over_columns(task);
    }
  }
}

}  // namespace

void pool_windows(const WindowPool& pool, const float* x, float* out, int64_t* places,
                  int64_t begin, int64_t end) {
  if (places != nullptr) {
    // Planes, not tasks, since there may be fewer tasks: the share of each is that of its place.
    const int64_t planes = pool.images * pool.channels, tasks = pool.tasks();
    for (int64_t i = begin * planes / tasks; i < end * planes / tasks; ++i)
      find_places(pool, x, out, places, i / pool.channels, i % pool.channels);
    return;
  }
  if (pool.averages) return pool_by<Sum>(pool, x, out, begin, end);
  pool_by<Largest>(pool, x, out, begin, end);
}

}  // namespace torchweld::x86
#pragma GCC pop_options
