// Vector approximations of the transcendental primitives on f32; other types go through the scalar
// loop. Errors are measured over all magnitudes by tests/kernels/math_test.cpp.
#pragma once

#include <bit>

#include "kernels/x86/held_constants.h"
#include "kernels/x86/lanes.h"
#include "kernels/x86/math_tables.h"

namespace torchweld::x86 {

/// Emits f(x); every function takes all of f32 and treats NaN, infinities, denormals and -0 as libm
/// does.
class Math {
 public:
  Math(const Lanes& lanes, HeldConstants* held) : v_(lanes), cc_(lanes.cc), held_(*held) {}

  /// Whether `prim` has an approximation here.
  static bool covers(Prim prim);
  /// One of the functions below by its primitive. Sine and cosine are good for |x| < kTrigLimit.
  aj::Vec apply(Prim prim, const aj::Vec& x) const;

  /// exp(x) for an x of at most 0, or NaN.
  aj::Vec exp_below_zero(const aj::Vec& x) const;

  /// x times the normal distribution up to x; at -infinity NaN, as the formula with erf gives.
  aj::Vec gelu(const aj::Vec& x) const;

  static constexpr float kTrigLimit = 65536.0f;

  /// n / d for a d that is known to be 1 or more, rounded as the division for all but a few pairs.
  /// `reciprocal`: n is 1.
  aj::Vec divide_by_large(const aj::Vec& n, const aj::Vec& d, bool reciprocal) const;

 private:
  /// The same for a d that is far from 0 and infinity.
  aj::Vec divide_by_bounded(const aj::Vec& n, const aj::Vec& d) const;
  aj::Vec exp(const aj::Vec& x) const;
  aj::Vec exp_of_bounded(const aj::Vec& x) const;  // overwrites its argument
  aj::Vec expm1(const aj::Vec& x) const;
  aj::Vec log(const aj::Vec& x) const;
  aj::Vec log1p(const aj::Vec& x) const;
  aj::Vec tanh(const aj::Vec& x) const;
  aj::Vec erf(const aj::Vec& x) const;
  /// An odd function that is 1 from the table's limit on; needs 16 lanes.
  template <int kTerms>
  aj::Vec piecewise(const Pieces<kTerms>& f, const aj::Vec& x) const;
  bool has_pieces() const { return v_.wide() && v_.count == 16; }
  aj::Vec trig(const aj::Vec& x, int quadrant) const;
  /// Of r - lost for |r| <= pi / 4 and s = r^2.
  aj::Vec sine(const aj::Vec& r, const aj::Vec& s, const aj::Vec& lost) const;
  aj::Vec cosine(const aj::Vec& r, const aj::Vec& s, const aj::Vec& lost) const;
  aj::Vec atan(const aj::Vec& x) const;

  struct Reduced {
    aj::Vec r, n;
  };
  struct Split {
    aj::Vec mantissa, exponent;
  };
  Reduced reduce_exp(const aj::Vec& bounded) const;  // overwrites its argument
  aj::Vec exp_poly(const aj::Vec& r) const;
  aj::Vec power_of_two(const aj::Vec& whole, int bias) const;
  Split split_wide(const aj::Vec& x) const;
  Split split_narrow(const aj::Vec& x) const;
  aj::Vec log_specials(const aj::Vec& x, const aj::Vec& result) const;

  aj::Vec emit(InstId id, const aj::Vec& a, const asmjit::Operand& b) const {
    return v_.op(id, a, b, 4);
  }
  aj::Vec mul(const aj::Vec& a, const asmjit::Operand& b) const {
    return emit(ins::kIdVmulps, a, b);
  }
  aj::Vec add(const aj::Vec& a, const asmjit::Operand& b) const {
    return emit(ins::kIdVaddps, a, b);
  }
  aj::Vec sub(const aj::Vec& a, const asmjit::Operand& b) const {
    return emit(ins::kIdVsubps, a, b);
  }
  asmjit::Operand bits32(uint32_t bits) const { return held_.word(bits); }
  asmjit::Operand f32(float value) const { return bits32(std::bit_cast<uint32_t>(value)); }
  /// A register of its own, to be written.
  aj::Vec set(float value) const {
    const asmjit::Operand held = f32(value);
    if (held.isMem()) return v_.splat(held.as<aj::Mem>(), 4);
    return v_.copy(DType::kF32, held.as<Reg>()).as<aj::Vec>();
  }
  aj::Vec clamp(const aj::Vec& x, float low, float high) const;
  // x within [-limit, limit]. One instruction on AVX-512, where NaN comes out as a number until
  // restore_nan.
  aj::Vec bound(const aj::Vec& x, float limit) const;
  void restore_nan(const aj::Vec& result, const aj::Vec& x) const;
  /// p[0] * x^(n-1) + ... + p[n-1].
  template <size_t N>
  aj::Vec poly(const aj::Vec& x, const float (&p)[N]) const {
    aj::Vec sum = set(p[0]);
    for (size_t i = 1; i < N; ++i) fma_in_place(sum, x, f32(p[i]));
    return sum;
  }
  /// a = a * b + c.
  void fma_in_place(const aj::Vec& a, const aj::Vec& b, const asmjit::Operand& c) const {
    cc_.emit(ins::kIdVfmadd213ps, a, b, c);
  }
  aj::Vec magnitude(const aj::Vec& x) const { return emit(ins::kIdVandps, x, bits32(0x7fffffffu)); }

  const Lanes& v_;
  aj::Compiler& cc_;
  HeldConstants& held_;
};

}  // namespace torchweld::x86
