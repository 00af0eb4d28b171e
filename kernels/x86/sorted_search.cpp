#include "kernels/x86/sorted_search.h"

#include <algorithm>
#include <bit>

#include "kernels/half.h"
#include "kernels/x86/share_out.h"

namespace torchweld::x86 {
namespace {

struct F16 {
  uint16_t bits;
};
struct BF16 {
  uint16_t bits;
};

template <class T>
T compared(T value) {
  return value;
}
float compared(F16 value) { return f32_of_f16(value.bits); }
float compared(BF16 value) { return f32_of_bf16(value.bits); }

/// One stretch of values that have one row of bounds.
struct Stretch {
  const char *bounds, *values;
  char* places;
  int64_t count;
};

/// A row of bounds and the question that is asked of each.
template <class T, bool kRight>
struct Bounds {
  const T* first;
  int64_t step, count;

  auto operator[](int64_t i) const { return compared(first[i * step]); }

  /// A bound is below also where it or the value is NaN, as in LibTorch.
  template <class C>
  static bool is_below(C bound, C value) {
    return kRight ? !(bound > value) : !(bound >= value);
  }

  bool are_in_order() const {
    bool all = true;
    for (int64_t i = 1; i < count; ++i) all &= (*this)[i - 1] <= (*this)[i];
    return all;
  }
};

/// Halves as LibTorch does.
template <class B, class C>
int64_t place_of(const B& bounds, C value) {
  int64_t begin = 0, end = bounds.count;
  while (begin < end) {
    const int64_t middle = begin + ((end - begin) >> 1);
    if (B::is_below(bounds[middle], value)) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin;
}

/// Values that are looked for side by side, since each halving waits for the one before.
constexpr int64_t kSide = 8;

/// Of bounds that are in order, where every halving finds the same place.
template <class B, class C>
void find(const B& bounds, const C* values, int64_t* places) {
  for (int64_t i = 0; i < kSide; ++i) places[i] = 0;
  for (int64_t left = bounds.count; left > 0;) {
    const int64_t half = (left + 1) / 2;
    for (int64_t i = 0; i < kSide; ++i) {
      const bool below = B::is_below(bounds[places[i] + half - 1], values[i]);
      places[i] += half & -static_cast<int64_t>(below);  // a branch would be guessed wrong
    }
    left -= half;
  }
}

template <class T, bool kRight, class Place>
void search(const SortedSearch& call, const Stretch& s) {
  const Bounds<T, kRight> bounds{reinterpret_cast<const T*>(s.bounds), call.bound_step,
                                 call.bounds};
  const auto* values = reinterpret_cast<const T*>(s.values);
  auto* places = reinterpret_cast<Place*>(s.places);
  const int64_t step = call.value_strides[call.dims - 1];
  const int64_t place_step = call.place_strides[call.dims - 1];
  int64_t i = 0;
  // The look at all bounds is worth it for about as many values.
  if (4 * s.count >= bounds.count && bounds.are_in_order()) {
    decltype(compared(T{})) some[kSide];
    int64_t found[kSide];
    for (; i + kSide <= s.count; i += kSide) {
      for (int64_t k = 0; k < kSide; ++k) some[k] = compared(values[(i + k) * step]);
      find(bounds, some, found);
      for (int64_t k = 0; k < kSide; ++k)
        places[(i + k) * place_step] = static_cast<Place>(found[k]);
    }
  }
  for (; i < s.count; ++i)
    places[i * place_step] = static_cast<Place>(place_of(bounds, compared(values[i * step])));
}

using Search = void (*)(const SortedSearch&, const Stretch&);

template <class T>
Search search_of(const SortedSearch& call) {
  if (call.narrow) return call.right ? search<T, true, int32_t> : search<T, false, int32_t>;
  return call.right ? search<T, true, int64_t> : search<T, false, int64_t>;
}

Search search_of_type(const SortedSearch& call) {
  switch (call.dtype) {
    case DType::kF32:
      return search_of<float>(call);
    case DType::kF64:
      return search_of<double>(call);
    case DType::kF16:
      return search_of<F16>(call);
    case DType::kBF16:
      return search_of<BF16>(call);
    case DType::kI64:
      return search_of<int64_t>(call);
    case DType::kI32:
      return search_of<int32_t>(call);
    case DType::kI16:
      return search_of<int16_t>(call);
    case DType::kI8:
      return search_of<int8_t>(call);
    default:
      return search_of<uint8_t>(call);
  }
}

/// Where value number `index` and what belongs to it lie.
Stretch from(const SortedSearch& call, int64_t index, Stretch whole) {
  const int64_t bytes = size_of(call.dtype), place_bytes = call.narrow ? 4 : 8;
  for (size_t d = call.dims; d-- > 0; index /= call.sizes[d]) {
    const int64_t i = index % call.sizes[d];
    whole.bounds += i * call.row_strides[d] * bytes;
    whole.values += i * call.value_strides[d] * bytes;
    whole.places += i * call.place_strides[d] * place_bytes;
  }
  return whole;
}

}  // namespace

int64_t SortedSearch::values() const {
  int64_t n = 1;
  for (size_t d = 0; d < dims; ++d) n *= sizes[d];
  return n;
}

void run_sorted_search(const SortedSearch& call, const void* bounds, const void* values,
                       void* places, const ParallelFor& parallel) {
  const int64_t count = call.values();
  if (count == 0) return;
  const Search search = search_of_type(call);
  const Stretch whole{static_cast<const char*>(bounds), static_cast<const char*>(values),
                      static_cast<char*>(places), 0};
  const size_t last = call.dims - 1;
  const int64_t line = call.row_strides[last] == 0 ? call.sizes[last] : 1;
  const auto work = [&](int64_t begin, int64_t end) {
    while (begin < end) {
      Stretch s = from(call, begin, whole);
      s.count = std::min(end - begin, line - begin % line);
      search(call, s);
      begin += s.count;
    }
  };
  constexpr int64_t kStepCycles = 4;  // of one halving
  const auto halvings = static_cast<int64_t>(std::bit_width(static_cast<uint64_t>(call.bounds)));
  share_out(count, kStepCycles * (halvings + 1), parallel, std::ref(work));
}

}  // namespace torchweld::x86
