// The approximations. Coefficients are Cephes' and Sleef's minimax polynomials; tanh and erf are
// pieces of our own where a vector has 16 lanes, and rational forms elsewhere.
#include "kernels/x86/math.h"

#include <iterator>

namespace torchweld::x86 {

using aj::Vec;
using asmjit::Imm;

bool Math::covers(Prim prim) {
  switch (prim) {
    case Prim::kExp:
    case Prim::kExpm1:
    case Prim::kLog:
    case Prim::kLog1p:
    case Prim::kTanh:
    case Prim::kErf:
    case Prim::kSin:
    case Prim::kCos:
    case Prim::kAtan:
      return true;
    default:
      return false;
  }
}

Vec Math::apply(Prim prim, const Vec& x) const {
  switch (prim) {
    case Prim::kExp:
      return exp(x);
    case Prim::kExpm1:
      return expm1(x);
    case Prim::kLog:
      return log(x);
    case Prim::kLog1p:
      return log1p(x);
    case Prim::kTanh:
      return tanh(x);
    case Prim::kErf:
      return erf(x);
    case Prim::kSin:
      return trig(x, 0);
    case Prim::kCos:
      return trig(x, 1);
    default:
      return atan(x);
  }
}

Vec Math::bound(const Vec& x, float limit) const {
  if (!v_.wide()) return clamp(x, -limit, limit);
  const Vec to = v_.vec(4);
  cc_.emit(ins::kIdVrangeps, to, x, number(limit), Imm(2));
  return to;
}

void Math::restore_nan(const Vec& result, const Vec& x) const {
  if (v_.wide()) cc_.emit(ins::kIdVfixupimmps, result, x, word(0x22), Imm(0));
}

Vec Math::divide_by_bounded(const Vec& n, const Vec& d) const {
  if (!v_.wide()) return emit(ins::kIdVdivps, n, d);
  const Vec r = v_.vec(4), error = v_.copy(DType::kF32, d).as<Vec>();
  cc_.emit(ins::kIdVrcp14ps, r, d);
  cc_.emit(ins::kIdVfnmadd213ps, error, r, number(1));
  cc_.emit(ins::kIdVfmadd231ps, r, r, error);
  return mul(n, r);
}

Vec Math::divide_by_large(const Vec& n, const Vec& d, bool reciprocal) const {
  if (!v_.wide()) return emit(ins::kIdVdivps, n, d);
  const Vec r = v_.vec(4), error = v_.copy(DType::kF32, d).as<Vec>();
  cc_.emit(ins::kIdVrcp14ps, r, d);
  cc_.emit(ins::kIdVfnmadd213ps, error, r, number(1));
  // The step would make NaN of 1 / inf, and needs the estimate's 0 kept.
  const aj::KReg finite = cc_.newKw();
  cc_.emit(ins::kIdVcmpps, finite, d, number(0x1p126f), Imm(17));
  cc_.k(finite).emit(ins::kIdVfmadd231ps, r, r, error);
  if (reciprocal) return r;
  // What the product of two rounded numbers misses, where that isn't NaN for an infinity.
  const Vec quotient = mul(n, r), missing = v_.copy(DType::kF32, n).as<Vec>();
  cc_.emit(ins::kIdVfnmadd231ps, missing, quotient, d);
  const aj::KReg number = cc_.newKw();
  cc_.emit(ins::kIdVcmpps, number, missing, missing, Imm(7));
  cc_.k(number).emit(ins::kIdVfmadd231ps, quotient, missing, r);
  return quotient;
}

Math::Reduced Math::reduce_exp(const Vec& r) const {
  const Vec n = v_.round_whole(DType::kF32, mul(r, number(1.44269504f)), 0);
  cc_.emit(ins::kIdVfnmadd231ps, r, n, number(0x1.62e400p-1f));
  cc_.emit(ins::kIdVfnmadd231ps, r, n, number(0x1.7f7d1cp-20f));
  return {r, n};
}

// exp(r) - 1 for |r| <= ln(2) / 2: Sleef's, so that exp has the bits of ATen's vectors.
Vec Math::exp_poly(const Vec& r) const {
  const Vec p = poly(r, {1.98527617612853646e-4f, 1.39304355252534151e-3f, 8.33336077630519867e-3f,
                         4.16664853692054749e-2f, 1.66666671633720398e-1f, 0.5f});
  fma_in_place(p, mul(r, r), r);
  return p;
}

Vec Math::power_of_two(const Vec& whole, int bias) const {
  const Vec bits = v_.vec(4);
  cc_.emit(ins::kIdVpaddd, bits, whole, word(static_cast<uint32_t>(bias)));
  cc_.emit(ins::kIdVpslld, bits, bits, Imm(23));
  return bits;
}

Vec Math::exp(const Vec& x) const {
  const Vec y = exp_of_bounded(bound(x, 104));
  restore_nan(y, x);
  return y;
}

Vec Math::exp_below_zero(const Vec& x) const { return exp_of_bounded(at_least(-104, x)); }

Vec Math::exp_of_bounded(const Vec& x) const {
  const auto [r, n] = reduce_exp(x);
  const Vec p = add(exp_poly(r), number(1));
  if (v_.wide()) return emit(ins::kIdVscalefps, p, n);
  // Two factors, so that the product rounds once into the denormals and overflows only at the end.
  const Vec whole = v_.vec(4), half = v_.vec(4), rest = v_.vec(4);
  cc_.emit(ins::kIdVcvtps2dq, whole, n);
  cc_.emit(ins::kIdVpsrad, half, whole, Imm(1));
  cc_.emit(ins::kIdVpsubd, rest, whole, half);
  return mul(mul(p, power_of_two(half, 127)), power_of_two(rest, 127));
}

// 2^n (exp(r) - 1) + (2^n - 1), halved until the end because 2^128 is no f32.
Vec Math::expm1(const Vec& x) const {
  const auto [r, n] = reduce_exp(clamp(x, -18, 89));
  const Vec whole = v_.vec(4);
  cc_.emit(ins::kIdVcvtps2dq, whole, n);
  const Vec scale = power_of_two(whole, 126);
  const Vec p = exp_poly(r);
  fma_in_place(p, scale, sub(scale, number(0.5f)));
  return v_.copysign(DType::kF32, add(p, p), x);
}

// x = mantissa * 2^exponent with the mantissa in [sqrt(1/2), sqrt(2)).
Math::Split Math::split_wide(const Vec& x) const {
  const Vec m = v_.vec(4), e = v_.vec(4);
  cc_.emit(ins::kIdVgetmantps, m, x, Imm(4));
  cc_.emit(ins::kIdVgetexpps, e, x);
  const aj::KReg upper = cc_.newKw();
  cc_.emit(ins::kIdVcmpps, upper, m, number(1.41421356f), Imm(29));
  cc_.k(upper).emit(ins::kIdVmulps, m, m, number(0.5f));
  cc_.k(upper).emit(ins::kIdVaddps, e, e, number(1));
  return {m, e};
}

Math::Split Math::split_narrow(const Vec& x) const {
  constexpr uint32_t kRootHalf = 0x3f3504f3u;
  const Reg tiny = v_.compare(Prim::kLt, DType::kF32, x, number(0x1p-126f));
  const Vec normal = v_.select(DType::kF32, tiny, mul(x, number(0x1p25f)), x);
  const Vec lowered = emit(ins::kIdVandps, tiny.as<Vec>(), number(25));
  const Vec bits = emit(ins::kIdVpaddd, normal, word(0x3f800000u - kRootHalf));
  const Vec m = emit(ins::kIdVpand, bits, word(0x7fffffu));
  cc_.emit(ins::kIdVpaddd, m, m, word(kRootHalf));
  cc_.emit(ins::kIdVpsrad, bits, bits, Imm(23));
  cc_.emit(ins::kIdVpsubd, bits, bits, word(127));
  cc_.emit(ins::kIdVcvtdq2ps, bits, bits);
  return {m, sub(bits, lowered)};
}

// -inf at 0, NaN below, inf at inf.
Vec Math::log_specials(const Vec& x, const Vec& result) const {
  if (v_.wide()) {
    cc_.emit(ins::kIdVfixupimmps, result, x, word(0x03530400u), Imm(0));
    return result;
  }
  const Vec inf = set(__builtin_inff()), zero = set(0);
  Vec fixed = v_.select(DType::kF32, v_.compare(Prim::kEq, DType::kF32, x, inf), inf, result);
  fixed = v_.select(DType::kF32, v_.compare(Prim::kEq, DType::kF32, x, zero),
                    set(-__builtin_inff()), fixed);
  fixed = v_.select(DType::kF32, v_.compare(Prim::kLt, DType::kF32, x, zero),
                    set(__builtin_nanf("")), fixed);
  // The integer split turns NaN into a number.
  return v_.select(DType::kF32, v_.compare(Prim::kNe, DType::kF32, x, x), x, fixed);
}

Vec Math::log(const Vec& x) const {
  const auto [m, e] = v_.wide() ? split_wide(x) : split_narrow(x);
  const Vec f = sub(m, number(1));
  const Vec square = mul(f, f);
  const Vec p = poly(f, {7.0376836292e-2f, -1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f,
                         1.4249322787e-1f, -1.6668057665e-1f, 2.0000714765e-1f, -2.4999993993e-1f,
                         3.3333331174e-1f});
  Vec y = mul(mul(p, f), square);
  cc_.emit(ins::kIdVfmadd231ps, y, e, number(-2.12194440e-4f));
  cc_.emit(ins::kIdVfnmadd231ps, y, square, number(0.5f));
  y = add(y, f);
  cc_.emit(ins::kIdVfmadd231ps, y, e, number(0.693359375f));
  return log_specials(x, y);
}

// log(u) with u = 1 + x, and what the addition lost put back to first order.
Vec Math::log1p(const Vec& x) const {
  const Vec u = add(x, number(1));
  const Vec lost = sub(x, sub(u, number(1)));
  const Vec correction = emit(ins::kIdVdivps, lost, u);
  const Vec y = log(u);
  const Reg number = v_.compare(Prim::kEq, DType::kF32, correction, correction);
  const Vec corrected = v_.select(DType::kF32, number, add(y, correction), y);
  const Reg zero = v_.compare(Prim::kEq, DType::kF32, x, set(0));
  return v_.select(DType::kF32, zero, x, corrected);
}

template <int kTerms>
Vec Math::piecewise(const Pieces<kTerms>& f, const Vec& x) const {
  const auto row = [&](int i) { return held_.row(f.rows[i]); };
  const Vec a = v_.vec(4);
  cc_.emit(ins::kIdVrangeps, a, x, number(f.limit), Imm(10));  // min(|x|, limit)
  // The sum's low bits are the piece, and permutations look at no others.
  const Vec piece = v_.copy(DType::kF32, a).as<Vec>();
  fma_in_place(piece, set(f.pieces_per_unit), number(0x1p23f));
  const Vec t = sub(a, emit(ins::kIdVpermps, piece, row(0)));
  const aj::KReg beyond_first = cc_.newKw();
  cc_.emit(ins::kIdVptestmd, beyond_first, piece, word(15));
  cc_.k(beyond_first).emit(ins::kIdVpermps, a, piece, row(1));
  const Vec q = emit(ins::kIdVpermps, piece, row(kTerms + 1));
  for (int i = kTerms; i >= 2; --i) fma_in_place(q, t, emit(ins::kIdVpermps, piece, row(i)));
  fma_in_place(q, t, a);
  const Vec y = v_.copysign(DType::kF32, q, x);
  restore_nan(y, x);
  return y;
}

// x (1/2 + N(|x|)) with N of x's sign, whose error need only be absolute.
Vec Math::gelu(const Vec& x) const {
  if (!has_pieces())
    return mul(mul(x, number(0.5f)), add(erf(mul(x, number(0.707106781f))), number(1)));
  const auto& f = kNormalPieces;
  const Vec t = v_.vec(4);
  cc_.emit(ins::kIdVrangeps, t, x, number(f.limit), Imm(10));  // min(|x|, limit)
  const Vec piece = v_.copy(DType::kF32, t).as<Vec>(), per_unit = set(f.pieces_per_unit);
  fma_in_place(piece, per_unit, number(0x1p23f));
  cc_.emit(ins::kIdVfmsub213ps, t, per_unit, sub(piece, number(0x1p23f)));
  const auto row = [&](int i) { return emit(ins::kIdVpermps, piece, held_.row(f.rows[i])); };
  constexpr int kHighest = std::size(kNormalPieces.rows) - 1;
  const Vec q = row(kHighest);
  for (int i = kHighest; i-- > 0;) fma_in_place(q, t, row(i));
  return mul(add(v_.copysign(DType::kF32, q, x), number(0.5f)), x);
}

Vec Math::tanh(const Vec& x) const {
  if (has_pieces()) return piecewise(kTanhPieces, x);
  const Vec c = bound(x, 9.4f);
  const Vec s = mul(c, c);
  const Vec p = poly(s, {-2.76076847742355e-16f, 2.00018790482477e-13f, -8.60467152213735e-11f,
                         5.12229709037114e-08f, 1.48572235717979e-05f, 6.37261928875436e-04f,
                         4.89352455891786e-03f});
  const Vec q = poly(s, {1.19825839466702e-06f, 1.18534705686654e-04f, 2.26843463243900e-03f,
                         4.89352518554385e-03f});
  // The quotient first: x * p would leave the normal range for tiny x. The form passes 1 just
  // before the first clamp, and the second makes the saturated value exactly 1, which gelu needs.
  const Vec y = bound(mul(divide_by_bounded(p, q), c), 1);
  restore_nan(y, x);
  return y;
}

Vec Math::erf(const Vec& x) const {
  if (has_pieces()) return piecewise(kErfPieces, x);
  const Vec c = bound(x, 3.95f);
  const Vec s = mul(c, c);
  const Vec p = poly(s, {0.00022905065861350646f, 0.0034082910107109506f, 0.050955695062380861f,
                         0.18520832239976145f, 1.128379143519084f});
  const Vec q = poly(s, {-1.1791602954361697e-7f, 0.000023547966471313185f, 0.0010179625278914885f,
                         0.014070470171167667f, 0.11098505178285362f, 0.49746925110067538f, 1.0f});
  const Vec y = bound(mul(divide_by_bounded(p, q), c), 1);
  restore_nan(y, x);
  return y;
}

// Quadrant 0 is the sine, 1 the cosine of r - lost. Pi / 2 in three parts: the first leaves an
// exact remainder, and what the second's product and difference round away makes up `lost` with the
// third.
Vec Math::trig(const Vec& x, int quadrant) const {
  // Adding 0 makes 0 of -0: with it, and the parts of pi / 2 all positive, an r of -0 survives.
  const Vec n = add(v_.round_whole(DType::kF32, mul(x, number(0.636619772f)), 0), number(0));
  const Vec exact = v_.copy(DType::kF32, x).as<Vec>();
  cc_.emit(ins::kIdVfnmadd231ps, exact, n, number(0x1.921fb4p+0f));
  const Vec product = mul(n, number(0x1.4442d0p-24f));
  const Vec r = sub(exact, product);
  const Vec lost = add(sub(r, exact), product);
  cc_.emit(ins::kIdVfmsub231ps, product, n, number(0x1.4442d0p-24f));
  cc_.emit(ins::kIdVfmadd231ps, product, n, number(0x1.846988p-48f));
  cc_.emit(ins::kIdVaddps, lost, lost, product);
  const Vec q = v_.vec(4), bit = v_.vec(4), sign = v_.vec(4);
  cc_.emit(ins::kIdVcvtps2dq, q, n);
  if (quadrant != 0) cc_.emit(ins::kIdVpaddd, q, q, word(1));
  cc_.emit(ins::kIdVpslld, bit, q, Imm(31));
  cc_.emit(ins::kIdVpsrld, sign, q, Imm(1));
  cc_.emit(ins::kIdVpslld, sign, sign, Imm(31));

  const Vec s = mul(r, r);
  const Reg odd = v_.compare(Prim::kNe, DType::kI32, bit, set(0));
  const Vec chosen = v_.select(DType::kF32, odd, cosine(r, s, lost), sine(r, s, lost));
  return emit(ins::kIdVxorps, chosen, sign);
}

// r - (lost + r^3 P(s)): a sum that began with anything but r would lose the sign of -0.
Vec Math::sine(const Vec& r, const Vec& s, const Vec& lost) const {
  const Vec p = poly(s, {1.9515295891e-4f, -8.3321608736e-3f, 1.6666654611e-1f});
  fma_in_place(p, mul(r, s), lost);
  return sub(r, p);
}

// h + ((1 - h - s / 2) + s^2 Q(s) + r lost) with h = 1 - s / 2 rounded.
Vec Math::cosine(const Vec& r, const Vec& s, const Vec& lost) const {
  const Vec one = set(1), half = mul(s, number(0.5f));
  const Vec h = sub(one, half);
  const Vec rest = sub(sub(one, h), half);
  const Vec q = poly(s, {2.443315711809948e-5f, -1.388731625493765e-3f, 4.166664568298827e-2f});
  fma_in_place(q, mul(s, s), rest);
  cc_.emit(ins::kIdVfmadd231ps, q, r, lost);
  return add(h, q);
}

Vec Math::atan(const Vec& x) const {
  const Vec a = magnitude(x), one = set(1);
  const Reg steep = v_.compare(Prim::kLt, DType::kF32, one, a);
  const Vec t = v_.select(DType::kF32, steep, emit(ins::kIdVdivps, one, a), a);
  const Vec s = mul(t, t);
  const Vec p = poly(s, {0.00282363896258175373f, -0.0159569028764963150f, 0.0425049886107444763f,
                         -0.0748900920152664184f, 0.106347933411598206f, -0.142027363181114197f,
                         0.199926957488059998f, -0.333331018686294556f});
  fma_in_place(p, mul(s, t), t);
  const Vec upright = sub(set(1.57079632679f), p);
  return v_.copysign(DType::kF32, v_.select(DType::kF32, steep, upright, p), x);
}

}  // namespace torchweld::x86
