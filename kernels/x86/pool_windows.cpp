// Poolings by hand, by GCC's vector types for AVX2: along a row's columns or over channels.
#include <type_traits>

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
  const I mask = I{0, 1, 2, 3, 4, 5, 6, 7} < static_cast<int32_t>(lanes);
  return __builtin_ia32_maskloadps256(reinterpret_cast<const V*>(p), mask);
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
    const V larger = __builtin_ia32_maxps256(x, total);  // of equal ones, and if one is NaN, total
    return x != x ? x : larger;
  }
  static float take(float total, float x) {
    const float larger = x > total ? x : total;
    return x != x ? x : larger;
  }
};

/// Of an element of the result.
struct Place {
  const Window &planes, &rows, &columns;
};

template <class Op>
class Pooler {
 public:
  Pooler(const WindowPool& pool, const float* x, float* out)
      : p_(pool),
        x_(x),
        out_(out),
        planes_(static_cast<int64_t>(pool.planes.size())),
        rows_(static_cast<int64_t>(pool.rows.size())),
        columns_(static_cast<int64_t>(pool.columns.size())),
        pitch_((columns_ + kLanes - 1) / kLanes * kLanes * pool.step + pool.wide) {
    end_ = x + (p_.images - 1) * p_.x.images + (p_.channels - 1) * p_.x.channels +
           (p_.depth - 1) * p_.x.planes + (p_.height - 1) * p_.x.rows + p_.width;
  }

  /// One row of the result, all channels.
  void over_channels(int64_t task) const {
    const int64_t row = task % rows_, plane = task / rows_ % planes_,
                  image = task / rows_ / planes_;
    const float* x = x_ + image * p_.x.images;
    for (int64_t column = 0; column < columns_; ++column) {
      const Place at = place(plane, row, column);
      float* out = out_ + image * p_.out.images + place_in_result(plane, row, column);
      int64_t channel = 0;
      const auto vectors = [&](auto count) {
        for (; channel + count * kLanes <= p_.channels; channel += count * kLanes)
          pixel<count>(x + channel, at, out + channel, kLanes);
      };
      vectors(std::integral_constant<int, 8>{});
      vectors(std::integral_constant<int, 4>{});
      vectors(std::integral_constant<int, 2>{});
      vectors(std::integral_constant<int, 1>{});
      if (channel < p_.channels)
        pixel<1, true>(x + channel, at, out + channel, p_.channels - channel);
    }
  }

  /// Some channels of an image.
  template <int kChannels>
  void over_columns(int64_t task) const {
    const float* x[kChannels];
    float* out[kChannels];
    find_channels<kChannels>(task, x, out);
    float band[kBand + kLanes];
    for (int64_t plane = 0; plane < planes_; ++plane) over_plane<kChannels>(x, band, out, plane);
  }

  /// Whether windows side by side are lanes of a vector; few of them in a row don't pay.
  bool takes_columns() const { return p_.step > 0 && columns_ > kFewColumns; }

  /// Whether several channels at once are faster still: elements far apart are no vector's load.
  bool prefers_abreast() const { return !takes_columns() || p_.step > 2; }

  /// Some channels at once, element by element: the additions of one window wait for one another.
  template <int kChannels>
  void abreast(int64_t task) const {
    const float* x[kChannels];
    float* out[kChannels];
    find_channels<kChannels>(task, x, out);
    for (int64_t plane = 0; plane < planes_; ++plane) {
      for (int64_t row = 0; row < rows_; ++row) {
        for (int64_t column = 0; column < columns_; ++column)
          windows_abreast<kChannels>(x, out, plane, row, column);
      }
    }
  }

 private:
  static constexpr int64_t kBand = 1 << 13;  // floats, on the stack and in the first cache
  static constexpr int64_t kFewColumns = 4;

  Place place(int64_t plane, int64_t row, int64_t column) const {
    return {p_.planes.data()[plane], p_.rows.data()[row], p_.columns.data()[column]};
  }

  int64_t place_in_result(int64_t plane, int64_t row, int64_t column) const {
    return plane * p_.out.planes + row * p_.out.rows + column * p_.out.columns;
  }

  int64_t channel_of(int64_t task, const WindowPool::Strides& strides) const {
    return task / p_.channels * strides.images + task % p_.channels * strides.channels;
  }

  template <int kChannels>
  void find_channels(int64_t task, const float** x, float** out) const {
    for (int64_t k = 0; k < kChannels; ++k) {
      x[k] = x_ + channel_of(task + k, p_.x);
      out[k] = out_ + channel_of(task + k, p_.out);
    }
  }

  float divided(float total, const Place& at) const {
    const Window &p = at.planes, &r = at.rows, &c = at.columns;
    if (!p_.averages) return total;
    if (p_.divides_by_dim)
      return total / static_cast<float>(p.divisor) / static_cast<float>(r.divisor) /
             static_cast<float>(c.divisor);
    return total / static_cast<float>(int64_t{p.divisor} * r.divisor * c.divisor);
  }

  template <int kVectors, bool kSome = false>
  void pixel(const float* x, const Place& at, float* out, int64_t lanes) const {
    const Window &p = at.planes, &r = at.rows, &c = at.columns;
    V total[kVectors];
    for (V& t : total) t = V{} + Op::kNothing;
    const int64_t wide = c.end - c.begin, step = p_.x.columns;
    for (int64_t d = p.begin; d < p.end; ++d) {
      const float* row = x + d * p_.x.planes + r.begin * p_.x.rows + c.begin * step;
      for (int64_t i = r.begin; i < r.end; ++i, row += p_.x.rows) {
        const float* from = row;
        for (int64_t j = 0; j < wide; ++j, from += step) {
          for (int v = 0; v < kVectors; ++v)
            total[v] = Op::take(total[v], kSome ? load_some(from, lanes) : load(from + v * kLanes));
        }
      }
    }
    if (p_.averages && p_.divides_by_dim) {
      for (V& t : total)
        t = divided_by_dim(t, p.divisor, r.divisor, V{} + static_cast<float>(c.divisor));
    } else if (p_.averages) {
      const V by = V{} + static_cast<float>(int64_t{p.divisor} * r.divisor * c.divisor);
      for (V& t : total) t /= by;
    }
    for (int v = 0; v < kVectors; ++v) store(out + v * kLanes, total[v], lanes);
  }

  /// A division by 1 changes nothing.
  static V divided_by_dim(V total, int32_t planes, int32_t rows, V columns) {
    if (planes != 1) total /= static_cast<float>(planes);
    return total / static_cast<float>(rows) / columns;
  }

  template <int kChannels>
  void windows_abreast(const float* const* x, float* const* out, int64_t plane, int64_t row,
                       int64_t column) const {
    const Place at = place(plane, row, column);
    float total[kChannels];
    for (float& t : total) t = Op::kNothing;
    for (int64_t d = at.planes.begin; d < at.planes.end; ++d) {
      for (int64_t i = at.rows.begin; i < at.rows.end; ++i) {
        const int64_t from = d * p_.x.planes + i * p_.x.rows;
        for (int64_t j = at.columns.begin; j < at.columns.end; ++j) {
          const int64_t place = from + j * p_.x.columns;
          for (int64_t k = 0; k < kChannels; ++k) total[k] = Op::take(total[k], x[k][place]);
        }
      }
    }
    const int64_t to = place_in_result(plane, row, column);
    for (int64_t k = 0; k < kChannels; ++k) out[k][to] = divided(total[k], at);
  }

  /// A plane of the result: rows that are read in place, and others from as many copied ones as
  /// fit into a band.
  template <int kChannels>
  void over_plane(const float* const* x, float* band, float* const* out, int64_t plane) const {
    const Window& p = p_.planes.data()[plane];
    const int64_t depth = p.end - p.begin;
    for (int64_t row = 0; row < rows_;) {
      const int64_t first = p_.rows.data()[row].begin;
      const int64_t from = p.begin * p_.x.planes + first * p_.x.rows;
      if (is_readable_in_place(x[kChannels - 1], p, p_.rows.data()[row])) {
        const float* rows[kChannels];
        for (int k = 0; k < kChannels; ++k) rows[k] = x[k] + from;
        side_by_side<kChannels>(rows, p_.x.planes, p_.x.rows, out, plane, row++);
        continue;
      }
      const auto size_to = [&](int64_t last) {
        return kChannels * depth * (p_.rows.data()[last].end - first) * pitch_;
      };
      int64_t end = row;
      while (end < rows_ && size_to(end) <= kBand) ++end;
      if (end == row) {
        for (int64_t column = 0; column < columns_; ++column)
          windows_abreast<kChannels>(x, out, plane, row, column);
        ++row;
        continue;
      }
      const int64_t height = p_.rows.data()[end - 1].end - first;
      for (int64_t k = 0; k < kChannels; ++k) {
        for (int64_t d = 0; d < depth; ++d)
          copy_band(x[k] + from + d * p_.x.planes, height,
                    band + (k * depth + d) * height * pitch_);
      }
      for (; row < end; ++row) {
        const float* rows[kChannels];
        for (int64_t k = 0; k < kChannels; ++k)
          rows[k] = band + (k * depth * height + p_.rows.data()[row].begin - first) * pitch_;
        side_by_side<kChannels>(rows, height * pitch_, pitch_, out, plane, row);
      }
    }
  }

  /// Whether no window is cut at either end and vectors end where the images do.
  bool is_readable_in_place(const float* x, const Window& p, const Window& r) const {
    const float* end = x + (p.end - 1) * p_.x.planes + (r.end - 1) * p_.x.rows + pitch_;
    return p_.before == 0 && (columns_ - 1) * p_.step + p_.wide <= p_.width && end <= end_;
  }

  /// Rows of the image with what changes nothing around them, so that no window is cut. Writes up
  /// to a vector more behind them.
  void copy_band(const float* x, int64_t rows, float* band) const {
    const int64_t most = pitch_ - p_.before, count = most < p_.width ? most : p_.width;
    for (int64_t i = 0; i < rows; ++i, x += p_.x.rows, band += pitch_) {
      fill(band, p_.before);
      copy(x, count, band + p_.before);
      fill(band + p_.before + count, most - count);
    }
  }

  static void fill(float* p, int64_t count) {
    for (int64_t j = 0; j < count; j += kLanes) store(p + j, V{} + Op::kNothing, kLanes);
  }

  static void copy(const float* from, int64_t count, float* to) {
    if (count < kLanes) {
      for (int64_t j = 0; j < count; ++j) to[j] = from[j];
      return;
    }
    for (int64_t j = 0; j + kLanes <= count; j += kLanes) store(to + j, load(from + j), kLanes);
    store(to + count - kLanes, load(from + count - kLanes), kLanes);
  }

  template <int kChannels>
  void side_by_side(const float* const* rows, int64_t plane_pitch, int64_t row_pitch,
                    float* const* out, int64_t plane, int64_t row) const {
    if (p_.step == 1)
      return side_by_side<kChannels, 1>(rows, plane_pitch, row_pitch, out, plane, row);
    if (p_.step == 2)
      return side_by_side<kChannels, 2>(rows, plane_pitch, row_pitch, out, plane, row);
    side_by_side<kChannels, 0>(rows, plane_pitch, row_pitch, out, plane, row);
  }

  /// A row of each channel's result, from where its first window's row begins in each.
  template <int kChannels, int kStep>
  void side_by_side(const float* const* rows, int64_t plane_pitch, int64_t row_pitch,
                    float* const* out, int64_t plane, int64_t row) const {
    const Window &p = p_.planes.data()[plane], &r = p_.rows.data()[row];
    const int64_t wide = p_.wide;
    for (int64_t column = 0; column < columns_; column += kLanes) {
      V total[kChannels];
      for (V& t : total) t = V{} + Op::kNothing;
      for (int64_t d = 0; d < p.end - p.begin; ++d) {
        int64_t from = d * plane_pitch + column * p_.step;
        for (int64_t i = r.begin; i < r.end; ++i, from += row_pitch) {
          for (int64_t j = 0; j < wide; ++j) {
            for (int k = 0; k < kChannels; ++k)
              total[k] = Op::take(total[k], apart<kStep>(rows[k] + from + j));
          }
        }
      }
      for (int k = 0; k < kChannels; ++k) {
        if (kStep == 2) total[k] = __builtin_shuffle(total[k], I{0, 1, 4, 5, 2, 3, 6, 7});
        if (p_.averages) total[k] = divided(total[k], p, r, column);
        store(out[k] + place_in_result(plane, row, column), total[k], columns_ - column);
      }
    }
  }

  V divided(V total, const Window& p, const Window& r, int64_t column) const {
    const V by = load(p_.column_divisors.data() + column);
    if (p_.divides_by_dim) return divided_by_dim(total, p.divisor, r.divisor, by);
    return total / (by * (static_cast<float>(p.divisor) * static_cast<float>(r.divisor)));
  }

  /// Elements a step apart, of a band, whose rows are long enough to read further. Of step 2 the
  /// middle pairs are exchanged.
  template <int kStep>
  [[gnu::always_inline]] V apart(const float* p) const {
    if (kStep == 1) return load(p);
    if (kStep == 2)
      return __builtin_shuffle(load(p), load(p + kLanes), I{0, 2, 8, 10, 4, 6, 12, 14});
    V v;
    for (int64_t l = 0; l < kLanes; ++l) v[l] = p[l * p_.step];
    return v;
  }

  const WindowPool& p_;
  const float* x_;
  float* out_;
  int64_t planes_, rows_, columns_;
  const float* end_;  // of all images
  int64_t pitch_;     // floats of a row of a band: as far as vectors read
};

template <class Op>
void pool_by(const WindowPool& pool, const float* x, float* out, int64_t begin, int64_t end) {
  const Pooler<Op> pooler(pool, x, out);
  int64_t task = begin;
  if (pool.has_channels_innermost()) {
    for (; task < end; ++task) pooler.over_channels(task);
    return;
  }
  if (pooler.prefers_abreast()) {
    for (; task + 8 <= end; task += 8) pooler.template abreast<8>(task);
  }
  if (!pooler.takes_columns()) {
    for (; task + 2 <= end; task += 2) pooler.template abreast<2>(task);
    for (; task < end; ++task) pooler.template abreast<1>(task);
  }
  for (; task + 4 <= end; task += 4) pooler.template over_columns<4>(task);
  for (; task < end; ++task) pooler.template over_columns<1>(task);
}

}  // namespace

void pool_windows(const WindowPool& pool, const float* x, float* out, int64_t* places,
                  int64_t begin, int64_t end) {
  if (places != nullptr) return find_places(pool, x, out, places, begin, end);
  if (pool.averages) return pool_by<Sum>(pool, x, out, begin, end);
  pool_by<Largest>(pool, x, out, begin, end);
}

}  // namespace torchweld::x86
#pragma GCC pop_options
