// Vector approximations of the transcendental primitives on f64. Errors are measured over all
// magnitudes by tests/kernels/x86_math64_test.cpp; docs/numerics.md has them.
#pragma once

#include "kernels/x86/math_lanes.h"

namespace torchweld::x86 {

/// Emits f(x); every function takes all of f64 and treats NaN, infinities, denormals and -0 as libm
/// does. Both sides of a choice are computed and a vector takes what it needs of each.
class Math64 : MathLanes<double> {
 public:
  Math64(const Lanes& lanes, HeldConstants* held) : MathLanes(lanes, held) {}

  /// Whether `prim` has an approximation here.
  static bool covers(Prim prim) { return weight_of(prim) > 0; }
  /// Instructions that it takes, roughly; 0 where it has none.
  static int weight_of(Prim prim);
  /// One of the functions below by its primitive. Sine and cosine are good for |x| < kTrigLimit.
  aj::Vec apply(Prim prim, const aj::Vec& x) const;

  static constexpr double kTrigLimit = 0x1p30;

 private:
  aj::Vec exp(const aj::Vec& x) const;
  aj::Vec expm1(const aj::Vec& x) const;
  aj::Vec log(const aj::Vec& x) const;
  aj::Vec log1p(const aj::Vec& x) const;
  aj::Vec tanh(const aj::Vec& x) const;
  aj::Vec erf(const aj::Vec& x) const;
  aj::Vec erfc(const aj::Vec& x) const;
  aj::Vec trig(const aj::Vec& x, int quadrant) const;
  aj::Vec atan(const aj::Vec& x) const;

  struct Reduced {
    aj::Vec r, n;
  };
  struct Split {
    aj::Vec mantissa, exponent;
  };
  struct Quotient {
    aj::Vec over, under;
  };
  Reduced reduce_exp(const aj::Vec& bounded) const;  // overwrites its argument
  /// exp(r) - 1 for |r| <= ln(2) / 2.
  aj::Vec exp_poly(const aj::Vec& r) const;
  /// exp of an x that keeps both x and exp(x) in the normal range; overwrites its argument.
  aj::Vec exp_within(const aj::Vec& x) const;
  /// p 2^n, rounded once.
  aj::Vec scale(const aj::Vec& p, const aj::Vec& n) const;
  aj::Vec power_of_two(const aj::Vec& low_bits) const;
  Split split_wide(const aj::Vec& x) const;
  Split split_narrow(const aj::Vec& x) const;
  /// log(1 + f) + e log(2) + c.
  aj::Vec log_of(const aj::Vec& f, const aj::Vec& e, const aj::Vec& c) const;
  aj::Vec log_specials(const aj::Vec& x, const aj::Vec& result) const;
  /// erf(x) / x - 1 by x^2, for |x| <= 1.
  aj::Vec erf_poly(const aj::Vec& square) const;
  /// erfc(a) exp(a^2) for a from 1 to 28.
  Quotient scaled_erfc(const aj::Vec& a) const;
  /// Of r - lost for |r| <= pi / 4 and s = r^2.
  aj::Vec sine(const aj::Vec& r, const aj::Vec& s, const aj::Vec& lost) const;
  aj::Vec cosine(const aj::Vec& r, const aj::Vec& s, const aj::Vec& lost) const;

  // Masks of 64-bit lanes, which Lanes narrows on AVX2 for others to read.
  Reg less(const aj::Vec& a, const asmjit::Operand& b) const { return compare(a, b, 17); }
  Reg compare(const aj::Vec& a, const asmjit::Operand& b, int predicate) const;
  aj::Vec choose(const Reg& mask, const aj::Vec& yes, const aj::Vec& no) const;
};

}  // namespace torchweld::x86
