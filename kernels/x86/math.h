// Vector approximations of the transcendental primitives on f32; math64.h has f64's. Errors are
// measured over all magnitudes by tests/kernels/x86_backend_test.cpp.
#pragma once

#include "kernels/x86/math_lanes.h"
#include "kernels/x86/math_tables.h"

namespace torchweld::x86 {

/// Emits f(x); every function takes all of f32 and treats NaN, infinities, denormals and -0 as libm
/// does.
class Math : MathLanes<float> {
 public:
  Math(const Lanes& lanes, HeldConstants* held) : MathLanes(lanes, held) {}

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

  // x within [-limit, limit]. One instruction on AVX-512, where NaN comes out as a number until
  // restore_nan.
  aj::Vec bound(const aj::Vec& x, float limit) const;
  void restore_nan(const aj::Vec& result, const aj::Vec& x) const;
};

}  // namespace torchweld::x86
