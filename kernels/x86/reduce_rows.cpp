// Reductions of rows by hand, by GCC's vector types for AVX2: vectors lie along a row, or across
// rows, a lane a row.
#include <immintrin.h>

#include "kernels/half.h"
#include "kernels/x86/host_rows.h"

#pragma GCC push_options
#pragma GCC optimize("O3")
#pragma GCC target("avx2,f16c")
#include "kernels/x86/row_elements.h"

namespace torchweld::x86 {
namespace {

template <class C>
using Vector [[gnu::vector_size(32)]] = C;

template <class C>
constexpr bool kIsFloating = C(0.5) != C(0);

template <int kBytes>
struct IndexType {
  using Type = int64_t;
};
template <>
struct IndexType<4> {
  using Type = int32_t;
};

template <class C>
constexpr C lowest() {
  if constexpr (kIsFloating<C>) {
    return -static_cast<C>(__builtin_inf());
  } else {
    return static_cast<C>(C(1) << (sizeof(C) * 8 - 1));
  }
}

template <class C>
constexpr C highest() {
  if constexpr (kIsFloating<C>) {
    return static_cast<C>(__builtin_inf());
  } else {
    return static_cast<C>(~lowest<C>());
  }
}

/// Sums or products of lanes.
template <class C, bool kProduct>
struct Totals {
  using V = Vector<C>;
  using Index = typename IndexType<sizeof(C)>::Type;
  using I = Vector<Index>;
  static constexpr C kIdentity = kProduct ? 1 : 0;
  // Integers that wrap do so without a sign.
  using U = Vector<uint64_t>;

  V value = V{} + kIdentity;

  void take(V x, I) {
    const U a = reinterpret_cast<U>(value), b = reinterpret_cast<U>(x);
    value = reinterpret_cast<V>(kProduct ? a * b : a + b);
  }
  void merge(const Totals& other) { take(other.value, I{}); }
  void merge_lane(int from) {
    const auto a = static_cast<uint64_t>(value[0]), b = static_cast<uint64_t>(value[from]);
    value[0] = static_cast<C>(kProduct ? a * b : a + b);
  }
  int64_t place(int) const { return 0; }

  /// The first lane alone.
  void take_one(C x, int64_t) {
    const auto a = static_cast<uint64_t>(first_), b = static_cast<uint64_t>(x);
    first_ = static_cast<C>(kProduct ? a * b : a + b);
  }
  void end_of_one() { value[0] = first_; }

 private:
  C first_ = kIdentity;
};

/// Extremes of lanes, and which of the row's elements they are.
template <class C, bool kLargest>
struct Extremes {
  using V = Vector<C>;
  using Index = typename IndexType<sizeof(C)>::Type;
  using I = Vector<Index>;
  static constexpr C kIdentity = kLargest ? lowest<C>() : highest<C>();

  V value = V{} + kIdentity;
  I at = I{};  // right for rows of nothing but the identity

  static I beats(V x, V v) {
    const I further = kLargest ? x > v : x < v;
    if constexpr (kIsFloating<C>) return further | ((x != x) & (v == v));
    return further;
  }
  void take(V x, I index) {
    const I better = beats(x, value);
    value = better ? x : value;
    at = better ? index : at;
  }
  void merge(const Extremes& other) {
    const I worse = beats(value, other.value), better = beats(other.value, value);
    const I taken = better | (~worse & (other.at < at));
    value = taken ? other.value : value;
    at = taken ? other.at : at;
  }
  void merge_lane(int from) {
    Extremes other;
    other.value = V{} + value[from];
    other.at = I{} + at[from];
    merge(other);
  }
  int64_t place(int lane) const { return at[lane]; }

  /// The first lane alone, by branches that are mostly the same.
  void take_one(C x, int64_t index) {
    const bool further = kLargest ? x > first_ : x < first_;
    if (!further && (x == x || first_ != first_)) return;
    first_ = x;
    first_at_ = index;
  }
  void end_of_one() {
    value[0] = first_;
    at[0] = static_cast<Index>(first_at_);
  }

 private:
  C first_ = kIdentity;
  int64_t first_at_ = 0;
};

/// How a reduction's values are stored.
template <class E>
struct AsRead {
  using Memory = typename E::Memory;
  static Memory back(typename E::Compute c) { return E::back(c); }
};
template <class M>
struct As {
  using Memory = M;
  template <class C>
  static M back(C c) {
    return static_cast<M>(c);
  }
};

template <class E, class R, class Out>
class Reducer {
 public:
  Reducer(const HostRows& call, const void* x, void* values, int64_t* places)
      : call_(call),
        x_(static_cast<const typename E::Memory*>(x)),
        values_(static_cast<typename Out::Memory*>(values)),
        places_(places),
        width_(call.sizes[call.dims - 1]),
        stride_(call.x[call.dims - 1]) {
    for (size_t d = call.kept; d + 1 < call.dims; ++d) stretches_ *= call.sizes[d];
  }

  void run(int64_t begin, int64_t end) const {
    const size_t last = call_.kept - 1;
    while (begin < end) {
      const int64_t outer = begin / call_.sizes[last], first = begin % call_.sizes[last];
      int64_t count = call_.sizes[last] - first;
      if (count > end - begin) count = end - begin;
      const auto at = [&](const int64_t* strides) {
        return offset_of(call_, strides, 0, last, outer) + first * strides[last];
      };
      side_by_side(x_ + at(call_.x), at(call_.values), at(call_.places), count);
      begin += count;
    }
  }

 private:
  using M = typename E::Memory;
  using C = typename E::Compute;
  using V = typename R::V;
  using I = typename R::I;
  using Index = typename R::Index;
  static constexpr int kLanes = 32 / sizeof(C);

  /// `count` lanes; the others hold what changes nothing.
  template <bool kDense>
  [[gnu::always_inline]] static V load(const M* p, int64_t stride, int64_t count) {
    C lanes[kLanes];
    if (kDense && count == kLanes) {
      for (int l = 0; l < kLanes; ++l) lanes[l] = E::of(p[l]);
    } else {
      const V nothing = V{} + R::kIdentity;
      __builtin_memcpy(lanes, &nothing, sizeof(nothing));
#pragma GCC unroll 1
      for (int64_t l = 0; l < count; ++l) lanes[l] = E::of(p[l * stride]);
    }
    V v;
    __builtin_memcpy(&v, lanes, sizeof(v));
    return v;
  }

  /// Rows that lie along the innermost of the dims that count them.
  void side_by_side(const M* x, int64_t value_at, int64_t place_at, int64_t count) const {
    const size_t last = call_.kept - 1;
    const int64_t to_next = call_.x[last];
    const bool along =
        stride_ == 1 && (width_ >= 8 * kLanes || (count < kLanes && width_ > kLanes));
    const int64_t step = along ? 1 : kLanes;
    for (int64_t i = 0; i < count; i += step) {
      const int64_t lanes = count - i < step ? count - i : step;
      const M* const first = x + i * to_next;
      const R result = along          ? along_row(first)
                       : lanes == 1   ? one_row(first)
                       : to_next == 1 ? across_rows<true>(first, 1, lanes)
                                      : across_rows<false>(first, to_next, lanes);
      for (int l = 0; l < lanes; ++l) {
        const int64_t row = i + l;
        if (values_ != nullptr)
          values_[value_at + row * call_.values[last]] = Out::back(result.value[l]);
        if (places_ != nullptr) places_[place_at + row * call_.places[last]] = result.place(l);
      }
    }
  }

  const M* stretch(const M* row, int64_t s) const {
    return s == 0 ? row : row + offset_of(call_, call_.x, call_.kept, call_.dims - 1, s);
  }

  R one_row(const M* x) const {
    R total;
    int64_t place = 0;
    for (int64_t s = 0; s < stretches_; ++s) {
      const M* p = stretch(x, s);
#pragma GCC unroll 1
      for (int64_t i = 0; i < width_; ++i, ++place) total.take_one(E::of(p[i * stride_]), place);
    }
    total.end_of_one();
    return total;
  }

  template <bool kDense>
  R across_rows(const M* x, int64_t to_next, int64_t lanes) const {
    R total;
    Index place = 0;
    for (int64_t s = 0; s < stretches_; ++s) {
      const M* p = stretch(x, s);
      for (int64_t i = 0; i < width_; ++i, ++place)
        total.take(load<kDense>(p + i * stride_, to_next, lanes), I{} + place);
    }
    return total;
  }

  /// Four vectors at a time, since each waits for what it compares with.
  R along_row(const M* x) const {
    constexpr int kVectors = 4;
    R totals[kVectors];
    I ahead;
    for (int l = 0; l < kLanes; ++l) ahead[l] = static_cast<Index>(l);
    for (int64_t s = 0; s < stretches_; ++s) {
      const M* p = stretch(x, s);
      const auto first = static_cast<Index>(s * width_);
      int64_t i = 0;
      for (; i + kVectors * kLanes <= width_; i += kVectors * kLanes) {
        for (int64_t u = 0; u < kVectors; ++u) {
          const int64_t at = i + u * kLanes;
          totals[u].take(load<true>(p + at, 1, kLanes), ahead + static_cast<Index>(first + at));
        }
      }
      for (; i < width_; i += kLanes) {
        const int64_t lanes = width_ - i < kLanes ? width_ - i : kLanes;
        totals[0].take(load<true>(p + i, 1, lanes), ahead + static_cast<Index>(first + i));
      }
    }
    for (int u = 1; u < kVectors; ++u) totals[0].merge(totals[u]);
    for (int l = 1; l < kLanes; ++l) totals[0].merge_lane(l);
    return totals[0];
  }

  const HostRows& call_;
  const M* x_;
  typename Out::Memory* values_;
  int64_t* places_;
  int64_t width_, stride_;  // of a row's innermost dim
  int64_t stretches_ = 1;   // of that dim in a row
};

struct Operands {
  const void* x;
  void* values;
  int64_t* places;
  int64_t begin, end;
};

template <class E, class R, class Out>
void reduce(const HostRows& call, const Operands& o) {
  Reducer<E, R, Out>(call, o.x, o.values, o.places).run(o.begin, o.end);
}

template <class E>
void reduce_as(const HostRows& call, const Operands& o) {
  using C = typename E::Compute;
  switch (call.op) {
    case RowsOp::kLargest:
      return reduce<E, Extremes<C, true>, AsRead<E>>(call, o);
    case RowsOp::kSmallest:
      return reduce<E, Extremes<C, false>, AsRead<E>>(call, o);
    case RowsOp::kAny:
      return reduce<Truth<E>, Extremes<int32_t, true>, As<bool>>(call, o);
    case RowsOp::kAll:
      return reduce<Truth<E>, Extremes<int32_t, false>, As<bool>>(call, o);
    default:
      break;
  }
  if constexpr (!kIsFloating<C>) {
    using Wide = Plain<typename E::Memory, int64_t>;
    if (call.op == RowsOp::kSum) return reduce<Wide, Totals<int64_t, false>, As<int64_t>>(call, o);
    reduce<Wide, Totals<int64_t, true>, As<int64_t>>(call, o);
  }
}

}  // namespace

void reduce_rows(const HostRows& call, const void* x, void* values, int64_t* places, int64_t begin,
                 int64_t end) {
  const Operands o{x, values, places, begin, end};
  switch (call.in) {
    case DType::kF32:
      return reduce_as<Plain<float, float>>(call, o);
    case DType::kF64:
      return reduce_as<Plain<double, double>>(call, o);
    case DType::kF16:
      return reduce_as<F16>(call, o);
    case DType::kBF16:
      return reduce_as<BF16>(call, o);
    case DType::kI64:
      return reduce_as<Plain<int64_t, int64_t>>(call, o);
    case DType::kI32:
      return reduce_as<Plain<int32_t, int32_t>>(call, o);
    case DType::kI16:
      return reduce_as<Plain<int16_t, int32_t>>(call, o);
    case DType::kI8:
      return reduce_as<Plain<int8_t, int32_t>>(call, o);
    case DType::kU8:
      return reduce_as<Plain<uint8_t, int32_t>>(call, o);
    case DType::kBool:
      return reduce_as<Plain<bool, int32_t>>(call, o);
    case DType::kC64:
    case DType::kOther:
      return;
  }
}

}  // namespace torchweld::x86
#pragma GCC pop_options
