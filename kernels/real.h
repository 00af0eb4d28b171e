// Numbers of kernels that answer as LibTorch's scalar loops do, for all types alike.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/half.h"

namespace torchweld {

struct F16 {
  uint16_t bits;
};

/// A number of T that is rounded after each operation, as a half in LibTorch is.
template <class T>
struct Real {
  using Wide = std::conditional_t<std::is_same_v<T, F16>, float, T>;
  Wide value = 0;

  Real() = default;
  explicit Real(double x) : value(rounded(static_cast<Wide>(x))) {}
  static Real load(const T* from) {
    Real r;
    if constexpr (std::is_same_v<T, F16>) {
      r.value = f32_of_f16(from->bits);
    } else {
      r.value = *from;
    }
    return r;
  }
  void store(T* to) const {
    if constexpr (std::is_same_v<T, F16>) {
      to->bits = f16_of_f32(value);
    } else {
      *to = value;
    }
  }

  friend Real operator+(Real a, Real b) { return of(a.value + b.value); }
  friend Real operator-(Real a, Real b) { return of(a.value - b.value); }
  friend Real operator*(Real a, Real b) { return of(a.value * b.value); }
  friend Real operator/(Real a, Real b) { return of(a.value / b.value); }

 private:
  static Wide rounded(Wide x) {
    if constexpr (std::is_same_v<T, F16>) {
      return f32_of_f16(f16_of_f32(x));
    } else {
      return x;
    }
  }
  static Real of(Wide x) {
    Real r;
    r.value = rounded(x);
    return r;
  }
};

}  // namespace torchweld
