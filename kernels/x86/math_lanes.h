// What approximations of functions are made of: arithmetic and polynomials on vectors of one
// floating type. Knows no function.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/x86/held_constants.h"
#include "kernels/x86/lanes.h"

namespace torchweld::x86 {

/// Vectors of T, float or double. Each gives a fresh register unless it says otherwise.
template <class T>
class MathLanes {
 protected:
  static constexpr bool kDouble = std::is_same_v<T, double>;
  static constexpr DType kType = kDouble ? DType::kF64 : DType::kF32;
  static constexpr int kBytes = sizeof(T);
  using Word = std::conditional_t<kDouble, uint64_t, uint32_t>;

  MathLanes(const Lanes& lanes, HeldConstants* held) : v_(lanes), cc_(lanes.cc), held_(*held) {}

  aj::Vec emit(InstId id, const aj::Vec& a, const asmjit::Operand& b) const {
    return v_.op(id, a, b, kBytes);
  }
  aj::Vec mul(const aj::Vec& a, const asmjit::Operand& b) const {
    return emit(kDouble ? ins::kIdVmulpd : ins::kIdVmulps, a, b);
  }
  aj::Vec add(const aj::Vec& a, const asmjit::Operand& b) const {
    return emit(kDouble ? ins::kIdVaddpd : ins::kIdVaddps, a, b);
  }
  aj::Vec sub(const aj::Vec& a, const asmjit::Operand& b) const {
    return emit(kDouble ? ins::kIdVsubpd : ins::kIdVsubps, a, b);
  }
  aj::Vec div(const aj::Vec& a, const asmjit::Operand& b) const {
    return emit(kDouble ? ins::kIdVdivpd : ins::kIdVdivps, a, b);
  }
  /// a = a * b + c.
  void fma_in_place(const aj::Vec& a, const aj::Vec& b, const asmjit::Operand& c) const {
    cc_.emit(kDouble ? ins::kIdVfmadd213pd : ins::kIdVfmadd213ps, a, b, c);
  }
  asmjit::Operand word(Word word) const { return held_.word(word); }
  asmjit::Operand number(T value) const { return word(std::bit_cast<Word>(value)); }
  /// A register of its own, to be written.
  aj::Vec set(T value) const {
    const asmjit::Operand held = number(value);
    if (held.isMem()) return v_.splat(held.as<aj::Mem>(), kBytes);
    return copy(held.as<aj::Vec>());
  }
  aj::Vec copy(const aj::Vec& x) const { return v_.copy(kType, x).template as<aj::Vec>(); }
  aj::Vec magnitude(const aj::Vec& x) const {
    return emit(kDouble ? ins::kIdVandpd : ins::kIdVandps, x, word(static_cast<Word>(-1) >> 1));
  }
  // The instructions give their second source when either is NaN; x stands there, so NaN passes.
  aj::Vec at_most(T high, const aj::Vec& x) const {
    return emit(kDouble ? ins::kIdVminpd : ins::kIdVminps, set(high), x);
  }
  aj::Vec at_least(T low, const aj::Vec& x) const {
    return emit(kDouble ? ins::kIdVmaxpd : ins::kIdVmaxps, set(low), x);
  }
  aj::Vec clamp(const aj::Vec& x, T low, T high) const { return at_least(low, at_most(high, x)); }
  /// p[0] * x^(n-1) + ... + p[n-1].
  template <size_t N>
  aj::Vec poly(const aj::Vec& x, const T (&p)[N]) const {
    aj::Vec sum = set(p[0]);
    for (size_t i = 1; i < N; ++i) fma_in_place(sum, x, number(p[i]));
    return sum;
  }

  const Lanes& v_;
  aj::Compiler& cc_;
  HeldConstants& held_;
};

}  // namespace torchweld::x86
