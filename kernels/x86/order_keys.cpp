#include "kernels/x86/order_keys.h"

#include <type_traits>

// Everything that is called in here is defined in here: what GCC compiled for other instructions
// isn't inlined.
#pragma GCC push_options
#pragma GCC optimize("O3")
#pragma GCC target("avx2")

namespace torchweld::x86 {
namespace {

/// Floats by their bits: of U, with the bits of infinity.
template <class U, U kInfinity>
struct FloatBits {
  using Element = U;
  static U key(U bits) {
    constexpr U kSign = U(U{1} << (sizeof(U) * 8 - 1));
    const U magnitude = bits & U(~kSign);
    const U signed_zero = magnitude == 0 ? U{0} : bits;
    const U ordered =
        (signed_zero & kSign) != 0 ? U(~signed_zero) : static_cast<U>(signed_zero | kSign);
    return magnitude > kInfinity ? static_cast<U>(~U{0}) : ordered;
  }
};

template <class T>
struct Integer {
  using Element = T;
  static std::make_unsigned_t<T> key(T value) {
    using U = std::make_unsigned_t<T>;
    constexpr U kSign = std::is_signed_v<T> ? U(U{1} << (sizeof(U) * 8 - 1)) : U{0};
    return static_cast<U>(value) ^ kSign;
  }
};

template <class Order, class Key>
void make(bool descending, const char* x, int64_t stride, int64_t count, Key* keys) {
  const auto* elements = reinterpret_cast<const typename Order::Element*>(x);
  const Key flip = descending ? ~Key{0} : Key{0};
  if (stride == 1) {
    for (int64_t i = 0; i < count; ++i) keys[i] = Key{Order::key(elements[i])} ^ flip;
  } else {
    for (int64_t i = 0; i < count; ++i) keys[i] = Key{Order::key(elements[i * stride])} ^ flip;
  }
}

template <class Key>
int64_t first_less(const Key* keys, int64_t from, int64_t count, Key bound) {
  constexpr int64_t kBlock = 16;
  for (; from + kBlock <= count; from += kBlock) {
    Key any = 0;
    for (int64_t i = 0; i < kBlock; ++i) any |= keys[from + i] < bound ? ~Key{0} : Key{0};
    if (any != 0) break;
  }
  while (from < count && keys[from] >= bound) ++from;
  return from;
}

}  // namespace

void make_keys(DType dtype, bool descending, const char* x, int64_t stride, int64_t count,
               uint32_t* keys) {
  switch (dtype) {
    case DType::kF32:
      return make<FloatBits<uint32_t, 0x7f800000>>(descending, x, stride, count, keys);
    case DType::kF16:
      return make<FloatBits<uint16_t, 0x7c00>>(descending, x, stride, count, keys);
    case DType::kBF16:
      return make<FloatBits<uint16_t, 0x7f80>>(descending, x, stride, count, keys);
    case DType::kI32:
      return make<Integer<int32_t>>(descending, x, stride, count, keys);
    case DType::kI16:
      return make<Integer<int16_t>>(descending, x, stride, count, keys);
    case DType::kI8:
      return make<Integer<int8_t>>(descending, x, stride, count, keys);
    default:
      return make<Integer<uint8_t>>(descending, x, stride, count, keys);
  }
}

void make_keys(DType dtype, bool descending, const char* x, int64_t stride, int64_t count,
               uint64_t* keys) {
  if (dtype == DType::kF64)
    return make<FloatBits<uint64_t, 0x7ff0000000000000>>(descending, x, stride, count, keys);
  make<Integer<int64_t>>(descending, x, stride, count, keys);
}

int64_t first_below(const uint32_t* keys, int64_t from, int64_t count, uint32_t bound) {
  return first_less(keys, from, count, bound);
}

int64_t first_below(const uint64_t* keys, int64_t from, int64_t count, uint64_t bound) {
  return first_less(keys, from, count, bound);
}

}  // namespace torchweld::x86

#pragma GCC pop_options
