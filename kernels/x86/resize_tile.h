// Sums over rows and columns of images, written once for both vector widths. Included by the two
// files that are compiled for one instruction set each; see matmul_isa.h.
#pragma once

#include <cstdint>

#include "kernels/x86/resize_isa.h"

namespace torchweld::x86 {
namespace {

/// What follows the sums of a vector of the result, of which `left` lanes are wanted.
template <class Isa, bool kFinishes>
[[gnu::always_inline]] inline void put(const ResizeOperands& o, typename Isa::V sum, float* to,
                                       int64_t left) {
  const bool whole = left >= Isa::kLanes;
  const int some = static_cast<int>(left);
  if constexpr (kFinishes) {
    if (o.summand != nullptr) {
      const float* const at = o.summand + (to - o.out);
      sum = Isa::add(sum, whole ? Isa::load(at) : Isa::load_first(at, some));
    }
    if (o.clamps) sum = Isa::min(Isa::all(o.clamp.high), Isa::max(Isa::all(o.clamp.low), sum));
  }
  whole ? Isa::store(to, sum) : Isa::store_first(to, sum, some);
}

/// n elements of a weighted sum of rows; kTaps is 0 for any number.
template <class Isa, int kTaps, bool kFinishes>
void sum_rows(const ResizeOperands& o, const float* const* rows, const float* weights, int64_t taps,
              int64_t n, float* to) {
  using V = typename Isa::V;
  V factors[kTaps == 0 ? 1 : kTaps];
  for (int k = 0; k < kTaps; ++k) factors[k] = Isa::all(weights[k]);
  const auto at = [&](int64_t i, int64_t left) __attribute__((always_inline)) {
    const auto load = [&](int64_t k) __attribute__((always_inline)) {
      return left >= Isa::kLanes ? Isa::load(rows[k] + i)
                                 : Isa::load_first(rows[k] + i, static_cast<int>(left));
    };
    V sum = load(0);
    if constexpr (kTaps == 0) {
      sum = Isa::mul(Isa::all(weights[0]), sum);
      for (int64_t k = 1; k < taps; ++k) sum = Isa::fma(Isa::all(weights[k]), load(k), sum);
    } else if constexpr (kTaps > 1) {
      sum = Isa::mul(factors[0], sum);
#pragma GCC unroll 4
      for (int k = 1; k < kTaps; ++k) sum = Isa::fma(factors[k], load(k), sum);
    }
    put<Isa, kFinishes>(o, sum, to + i, left);
  };
  int64_t i = 0;
  for (; i + Isa::kLanes <= n; i += Isa::kLanes) at(i, Isa::kLanes);
  if (i < n) at(i, n - i);
}

/// A vector of columns from one row of pixels side by side, all of whose taps lie within kVectors
/// vectors from `low` on; 0: anywhere.
template <class Isa, int kTaps, int kVectors>
[[gnu::always_inline]] inline typename Isa::V sum_taps(const ResizeWork& w, const float* x,
                                                       int64_t j, int64_t low) {
  using V = typename Isa::V;
  const int32_t* const from = w.column_from + j;
  const float* const weights = w.column_weights + j;
  constexpr int64_t kReach = kVectors * Isa::kLanes;
  V all[kVectors == 0 ? 1 : kVectors];
  if constexpr (kVectors != 0) {
    if (w.in_columns >= kReach) {
      if (low > w.in_columns - kReach) low = w.in_columns - kReach;
      for (int i = 0; i < kVectors; ++i) all[i] = Isa::load(x + low + i * Isa::kLanes);
    } else {
      low = 0;
      for (int i = 0; i < kVectors; ++i)
        all[i] =
            Isa::load_first(x + i * Isa::kLanes, static_cast<int>(w.in_columns) - i * Isa::kLanes);
    }
  }
  const auto base = static_cast<int32_t>(low);
  const auto tap = [&](int64_t k) __attribute__((always_inline)) {
    const int32_t* const at = from + k * w.padded;
    if constexpr (kVectors == 0) return Isa::gather(x, at);
    const V value = Isa::template pick<kVectors>(all, at, base);
    return kTaps == 0 ? Isa::only_places(value, at) : value;
  };
  V sum = tap(0);
  if constexpr (kTaps != 1) sum = Isa::mul(Isa::load(weights), sum);
  const int64_t taps = kTaps == 0 ? w.column_taps : kTaps;
#pragma GCC unroll 4
  for (int64_t k = 1; k < taps; ++k) sum = Isa::fma(Isa::load(weights + k * w.padded), tap(k), sum);
  return sum;
}

/// A block's columns from one row of pixels side by side. `roomy`: a vector may be stored past its
/// end.
template <class Isa, int kTaps, bool kFinishes>
void sum_columns(const ResizeWork& w, const float* x, const ResizeBlock& b, float* to, bool roomy) {
  constexpr int64_t kLanes = Isa::kLanes;
  for (int64_t j = b.begin; j < b.end; j += kLanes) {
    const ResizeReach* const reach = w.reach + j / 8;
    int64_t low = reach[0].low, high = reach[0].high;
    if (kLanes == 16) {
      low = low < reach[1].low ? low : reach[1].low;
      high = high > reach[1].high ? high : reach[1].high;
    }
    const int64_t span = high - low;
    const typename Isa::V sum = span < kLanes       ? sum_taps<Isa, kTaps, 1>(w, x, j, low)
                                : span < 2 * kLanes ? sum_taps<Isa, kTaps, 2>(w, x, j, low)
                                : span < 4 * kLanes ? sum_taps<Isa, kTaps, 4>(w, x, j, low)
                                                    : sum_taps<Isa, kTaps, 0>(w, x, j, low);
    put<Isa, kFinishes>(*w.operands, sum, to + (j - b.begin), roomy ? kLanes : b.end - j);
  }
}

/// A block's pixels from one row whose channels lie side by side. `x_end`: vectors are loaded up to
/// there; a pixel's last vector may be stored over the next pixel, which is made afterwards.
template <class Isa, int kTaps, bool kFinishes>
void sum_pixels(const ResizeWork& w, const float* x, const float* x_end, const ResizeBlock& b,
                float* to) {
  using V = typename Isa::V;
  constexpr int64_t kLanes = Isa::kLanes;
  const int64_t channels = w.channels;
  const float* const row_end = to + w.out_columns * channels;
  to += b.begin * channels;
  for (int64_t j = b.begin; j < b.end; ++j, to += channels) {
    const int32_t* const from = w.column_from + j * w.column_taps;
    const float* const weights = w.column_weights + j * w.column_taps;
    const int64_t taps = kTaps == 0 ? w.column_counts[j] : kTaps;
    const bool whole_loads = x + from[taps - 1] * channels + channels + kLanes <= x_end;
    const bool whole_stores = to + channels + kLanes <= row_end;
    const float* seen[kTaps == 0 ? 1 : kTaps];
    V factors[kTaps == 0 ? 1 : kTaps];
    for (int k = 0; k < kTaps; ++k) {
      seen[k] = x + from[k] * channels;
      factors[k] = Isa::all(weights[k]);
    }
    const auto at = [&](int64_t c, bool loads, bool stores) __attribute__((always_inline)) {
      const auto load = [&](const float* p) __attribute__((always_inline)) {
        return loads ? Isa::load(p + c) : Isa::load_first(p + c, static_cast<int>(channels - c));
      };
      V sum;
      if constexpr (kTaps == 0) {
        sum = Isa::mul(Isa::all(weights[0]), load(x + from[0] * channels));
        for (int64_t k = 1; k < taps; ++k)
          sum = Isa::fma(Isa::all(weights[k]), load(x + from[k] * channels), sum);
      } else {
        sum = load(seen[0]);
        if constexpr (kTaps > 1) sum = Isa::mul(factors[0], sum);
#pragma GCC unroll 4
        for (int k = 1; k < kTaps; ++k) sum = Isa::fma(factors[k], load(seen[k]), sum);
      }
      put<Isa, kFinishes>(*w.operands, sum, to + c, stores ? kLanes : channels - c);
    };
    if (whole_loads && whole_stores) {
      for (int64_t c = 0; c < channels; c += kLanes) at(c, true, true);
    } else {
      for (int64_t c = 0; c < channels; c += kLanes) {
        const bool whole = c + kLanes <= channels;
        at(c, whole, whole);
      }
    }
  }
}

/// One plane's or image's rows; which sums these are is settled once a launch.
template <class Isa, bool kFinishes>
class Resizer {
 public:
  explicit Resizer(const ResizeWork& w)
      : w_(w),
        rows_(rows_of<kFinishes>(w.row_kind)),
        plain_rows_(rows_of<false>(w.row_kind)),
        columns_(columns_of<kFinishes>(w.column_kind)),
        plain_columns_(columns_of<false>(w.column_kind)),
        pixels_(pixels_of(w.column_kind)) {}

  void band(int64_t task) {
    const int64_t plane = task / w_.bands, band = task % w_.bands;
    const int64_t image = plane / w_.channels, channel = plane % w_.channels;
    const float* const x = w_.operands->x + image * w_.x.images + channel * w_.x.channels;
    float* const out = w_.operands->out + image * w_.out.images + channel * w_.out.channels;
    const int64_t begin = band * w_.out_rows / w_.bands, end = (band + 1) * w_.out_rows / w_.bands;
    for (int64_t i = 0; i < w_.block_count; ++i) {
      const ResizeBlock& b = w_.blocks[i];
      if (w_.order == ResizeOrder::kColumns) {
        by_columns(x, b, begin, end, out);
        continue;
      }
      for (int64_t y = begin; y < end; ++y) {
        float* const to = out + y * w_.out.rows + b.begin;
        if (w_.order == ResizeOrder::kColumnsOnly) {
          columns_(w_, x + w_.row_from[y] * w_.x.rows, b, to, false);
        } else {
          first_sum(x + b.first, y, b.last - b.first);
          columns_(w_, kept_ + kResizeSlack - b.first, b, to, false);
        }
      }
    }
  }

  void row(int64_t task) {
    const int64_t image = task / w_.out_rows, y = task % w_.out_rows;
    const float* const x = w_.operands->x + image * w_.x.images;
    float* const to = w_.operands->out + image * w_.out.images + y * w_.out.rows;
    const int64_t channels = w_.channels;
    for (int64_t i = 0; i < w_.block_count; ++i) {
      const ResizeBlock& b = w_.blocks[i];
      if (w_.row_taps == 1) {
        const float* const from = x + w_.row_from[y] * w_.x.rows;
        pixels_(w_, from, from + w_.in_columns * channels, b, to);
      } else {
        const int64_t floats = (b.last - b.first) * channels;
        first_sum(x + b.first * channels, y, floats);
        pixels_(w_, kept_ + kResizeSlack - b.first * channels, kept_ + floats + 2 * kResizeSlack, b,
                to);
      }
    }
  }

 private:
  using SumRows = void (*)(const ResizeOperands&, const float* const*, const float*, int64_t,
                           int64_t, float*);
  using SumColumns = void (*)(const ResizeWork&, const float*, const ResizeBlock&, float*, bool);
  using SumPixels = void (*)(const ResizeWork&, const float*, const float*, const ResizeBlock&,
                             float*);

  template <bool kEnds>
  static SumRows rows_of(int64_t taps) {
    return taps == 1   ? sum_rows<Isa, 1, kEnds>
           : taps == 2 ? sum_rows<Isa, 2, kEnds>
           : taps == 4 ? sum_rows<Isa, 4, kEnds>
                       : sum_rows<Isa, 0, kEnds>;
  }
  template <bool kEnds>
  static SumColumns columns_of(int64_t taps) {
    return taps == 1   ? sum_columns<Isa, 1, kEnds>
           : taps == 2 ? sum_columns<Isa, 2, kEnds>
           : taps == 4 ? sum_columns<Isa, 4, kEnds>
                       : sum_columns<Isa, 0, kEnds>;
  }
  static SumPixels pixels_of(int64_t taps) {
    return taps == 1   ? sum_pixels<Isa, 1, kFinishes>
           : taps == 2 ? sum_pixels<Isa, 2, kFinishes>
           : taps == 4 ? sum_pixels<Isa, 4, kFinishes>
                       : sum_pixels<Isa, 0, kFinishes>;
  }

  /// n elements of the sum over rows that makes row `y`, into kept_.
  void first_sum(const float* x, int64_t y, int64_t n) {
    const float* rows[kResizeTaps];
    for (int64_t k = 0; k < w_.row_counts[y]; ++k)
      rows[k] = x + w_.row_from[y * w_.row_taps + k] * w_.x.rows;
    plain_rows_(*w_.operands, rows, w_.row_weights + y * w_.row_taps, w_.row_counts[y], n,
                kept_ + kResizeSlack);
  }

  /// Rows [begin, end) of a block, from rows of the source whose columns are summed once.
  void by_columns(const float* x, const ResizeBlock& b, int64_t begin, int64_t end, float* out) {
    int64_t kept[kResizeKept];
    for (int64_t& row : kept) row = -1;
    for (int64_t y = begin; y < end; ++y) {
      const float* rows[kResizeKept];
      const int64_t taps = w_.row_counts[y];
      for (int64_t k = 0; k < taps; ++k) {
        const int64_t row = w_.row_from[y * w_.row_taps + k], slot = row % kResizeKept;
        float* const sums = kept_ + slot * (kResizeColumns + kResizeSlack);
        if (kept[slot] != row) plain_columns_(w_, x + row * w_.x.rows, b, sums, true);
        kept[slot] = row;
        rows[k] = sums;
      }
      rows_(*w_.operands, rows, w_.row_weights + y * w_.row_taps, taps, b.end - b.begin,
            out + y * w_.out.rows + b.begin);
    }
  }

  const ResizeWork& w_;
  const SumRows rows_, plain_rows_;
  const SumColumns columns_, plain_columns_;
  const SumPixels pixels_;
  alignas(64) float kept_[kResizeFloats + 2 * kResizeSlack];
};

template <class Isa>
void resize_planes(const ResizeWork& w, int64_t begin, int64_t end) {
  const auto run = [&]<bool kFinishes>() {
    Resizer<Isa, kFinishes> resizer(w);
    for (int64_t task = begin; task < end; ++task) resizer.band(task);
  };
  w.operands->summand != nullptr || w.operands->clamps ? run.template operator()<true>()
                                                       : run.template operator()<false>();
}

template <class Isa>
void resize_pixels(const ResizeWork& w, int64_t begin, int64_t end) {
  const auto run = [&]<bool kFinishes>() {
    Resizer<Isa, kFinishes> resizer(w);
    for (int64_t task = begin; task < end; ++task) resizer.row(task);
  };
  w.operands->summand != nullptr || w.operands->clamps ? run.template operator()<true>()
                                                       : run.template operator()<false>();
}

}  // namespace
}  // namespace torchweld::x86
