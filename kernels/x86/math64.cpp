// The approximations on f64. Coefficients are Cephes' (tanh, erf beyond 1), fdlibm's (log, sin,
// cos) and our own (exp, erf, erfc, atan: math64_polynomials.py).
#include "kernels/x86/math64.h"

namespace torchweld::x86 {

using aj::Vec;
using asmjit::Imm;
using asmjit::Operand;

namespace {

// 1.5 * 2^52: the low bits of its sum with a whole number are that number.
constexpr double kWhole = 0x1.8p52;

}  // namespace

int Math64::weight_of(Prim prim) {
  switch (prim) {
    case Prim::kExp:
      return 24;
    case Prim::kExpm1:
      return 28;
    case Prim::kLog:
      return 40;
    case Prim::kLog1p:
      return 60;
    case Prim::kTanh:
    case Prim::kSin:
    case Prim::kCos:
    case Prim::kAtan:
      return 48;
    case Prim::kErf:
      return 64;
    case Prim::kErfc:
      return 100;
    default:
      return 0;
  }
}

Vec Math64::apply(Prim prim, const Vec& x) const {
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
    case Prim::kErfc:
      return erfc(x);
    case Prim::kSin:
      return trig(x, 0);
    case Prim::kCos:
      return trig(x, 1);
    default:
      return atan(x);
  }
}

Reg Math64::compare(const Vec& a, const Operand& b, int predicate) const {
  const Reg to = v_.wide() ? Reg(cc_.newKw()) : Reg(v_.vec(8));
  cc_.emit(ins::kIdVcmppd, to, a, b, Imm(predicate));
  return to;
}

Vec Math64::choose(const Reg& mask, const Vec& yes, const Vec& no) const {
  const Vec to = v_.vec(8);
  if (v_.wide()) {
    cc_.k(mask.as<aj::KReg>()).emit(ins::kIdVblendmpd, to, no, yes);
  } else {
    cc_.emit(ins::kIdVblendvpd, to, no, yes, mask);
  }
  return to;
}

// The first difference is exact: both are multiples of the last bit of log(2) or of a smaller one.
Math64::Reduced Math64::reduce_exp(const Vec& r) const {
  const Vec n = v_.round_whole(DType::kF64, mul(r, number(0x1.71547652b82fep+0)), 0);
  cc_.emit(ins::kIdVfnmadd231pd, r, n, number(0x1.62e42fefa39efp-1));
  cc_.emit(ins::kIdVfnmadd231pd, r, n, number(0x1.abc9e3b39803fp-56));
  return {r, n};
}

Vec Math64::exp_poly(const Vec& r) const {
  const Vec p = poly(
      r, {2.5112716818963076e-08, 2.7631608497480306e-07, 2.7557232721531858e-06,
          2.48014889797183e-05, 0.00019841269898777635, 0.0013888888948007572,
          0.0083333333333159253, 0.041666666666511254, 0.16666666666666685, 0.50000000000000133});
  fma_in_place(p, mul(r, r), r);
  return p;
}

// Of a whole number's bits above any others, plus the bias of exponents.
Vec Math64::power_of_two(const Vec& low_bits) const {
  const Vec bits = emit(ins::kIdVpaddd, low_bits, word(1023));
  cc_.emit(ins::kIdVpsllq, bits, bits, Imm(52));
  return bits;
}

Vec Math64::scale(const Vec& p, const Vec& n) const {
  if (v_.wide()) return emit(ins::kIdVscalefpd, p, n);
  // Two factors, so that the product rounds once into the denormals and overflows only at the end.
  const Vec whole = add(n, number(kWhole)), half = v_.vec(8);
  cc_.emit(ins::kIdVpsrad, half, whole, Imm(1));
  return mul(mul(p, power_of_two(half)), power_of_two(emit(ins::kIdVpsubd, whole, half)));
}

Vec Math64::exp(const Vec& x) const {
  const auto [r, n] = reduce_exp(clamp(x, -746, 710));
  return scale(add(exp_poly(r), number(1)), n);
}

Vec Math64::exp_within(const Vec& x) const {
  const auto [r, n] = reduce_exp(x);
  const Vec p = add(exp_poly(r), number(1));
  if (v_.wide()) return emit(ins::kIdVscalefpd, p, n);
  return mul(p, power_of_two(add(n, number(kWhole))));
}

// 2^n ((exp(r) - 1) + (1 - 2^-n)), where 2^-1024 may count as 2^-1000.
Vec Math64::expm1(const Vec& x) const {
  const auto [r, n] = reduce_exp(clamp(x, -38, 710));
  const Vec one = set(1), minus = sub(set(0), at_most(1000, n));
  const Vec inverse =
      v_.wide() ? emit(ins::kIdVscalefpd, one, minus) : power_of_two(add(minus, number(kWhole)));
  return v_.copysign(DType::kF64, scale(add(exp_poly(r), sub(one, inverse)), n), x);
}

// x = mantissa * 2^exponent with the mantissa in [sqrt(1/2), sqrt(2)).
Math64::Split Math64::split_wide(const Vec& x) const {
  const Vec m = v_.vec(8), e = v_.vec(8);
  cc_.emit(ins::kIdVgetmantpd, m, x, Imm(4));
  cc_.emit(ins::kIdVgetexppd, e, x);
  const aj::KReg upper = cc_.newKw();
  cc_.emit(ins::kIdVcmppd, upper, m, number(1.41421356237309505), Imm(29));
  cc_.k(upper).emit(ins::kIdVmulpd, m, m, number(0.5));
  cc_.k(upper).emit(ins::kIdVaddpd, e, e, number(1));
  return {m, e};
}

Math64::Split Math64::split_narrow(const Vec& x) const {
  constexpr uint64_t kRootHalf = 0x3fe6a09e667f3bcdu, kOne = 0x3ff0000000000000u;
  const Reg tiny = less(x, number(0x1p-1022));
  const Vec normal = choose(tiny, mul(x, number(0x1p54)), x);
  const Vec lowered = emit(ins::kIdVandpd, tiny.as<Vec>(), number(54));
  const Vec shifted = emit(ins::kIdVpaddq, normal, word(kOne - kRootHalf));
  const Vec m = emit(ins::kIdVpand, shifted, word(0xfffffffffffffu));
  cc_.emit(ins::kIdVpaddq, m, m, word(kRootHalf));
  // The biased exponent in the low bits of 2^52 is a number.
  cc_.emit(ins::kIdVpsrlq, shifted, shifted, Imm(52));
  const Vec e = emit(ins::kIdVpor, shifted, number(0x1p52));
  return {m, sub(sub(e, number(0x1p52 + 1023)), lowered)};
}

// -inf at 0, NaN below, inf at inf.
Vec Math64::log_specials(const Vec& x, const Vec& result) const {
  if (v_.wide()) {
    cc_.emit(ins::kIdVfixupimmpd, result, x, word(0x03530400u), Imm(0));
    return result;
  }
  const Vec inf = set(__builtin_inf()), zero = set(0);
  Vec fixed = choose(compare(x, inf, 0), inf, result);
  fixed = choose(compare(x, zero, 0), set(-__builtin_inf()), fixed);
  fixed = choose(less(x, zero), set(__builtin_nan("")), fixed);
  // The integer split turns NaN into a number.
  return choose(compare(x, x, 3), x, fixed);
}

Vec Math64::log_of(const Vec& f, const Vec& e, const Vec& c) const {
  const Vec s = div(f, add(f, number(2)));
  const Vec z = mul(s, s), half_square = mul(mul(f, f), number(0.5));
  const Vec p =
      poly(z, {1.479819860511658591e-01, 1.531383769920937332e-01, 1.818357216161805012e-01,
               2.222219843214978396e-01, 2.857142874366239149e-01, 3.999999999940941908e-01,
               6.666666666666735130e-01});
  fma_in_place(p, z, half_square);
  fma_in_place(p, s, c);
  cc_.emit(ins::kIdVfmadd231pd, p, e, number(1.90821492927058770002e-10));
  const Vec y = sub(f, sub(half_square, p));
  cc_.emit(ins::kIdVfmadd231pd, y, e, number(6.93147180369123816490e-01));
  return y;
}

Vec Math64::log(const Vec& x) const {
  const auto [m, e] = v_.wide() ? split_wide(x) : split_narrow(x);
  return log_specials(x, log_of(sub(m, number(1)), e, set(0)));
}

// log(u) with u = 1 + x, and what the addition lost put back to first order; near 1, of x itself.
Vec Math64::log1p(const Vec& x) const {
  const Vec u = add(x, number(1));
  const auto [m, e] = v_.wide() ? split_wide(u) : split_narrow(u);
  const Vec lost = div(sub(x, sub(u, number(1))), u), zero = set(0);
  const Reg near = compare(e, zero, 0);
  const Vec y = log_of(choose(near, x, sub(m, number(1))), e, choose(near, zero, lost));
  return log_specials(u, v_.copysign(DType::kF64, y, x));
}

// Below 0.625 a + a^3 P / Q, beyond 1 - 2 / (exp(2 a) + 1): one division serves both.
Vec Math64::tanh(const Vec& x) const {
  const Vec a = at_most(22, magnitude(x));
  const Vec e = exp_within(add(a, a));
  const Vec z = mul(a, a);
  const Vec p =
      poly(z, {-9.64399179425052238628e-1, -9.92877231001918586564e1, -1.61468768441708447952e3});
  const Vec q =
      poly(z, {1, 1.12811678491632931402e2, 2.23548839060100448583e3, 4.84406305325125486048e3});
  const Reg small = less(a, number(0.625));
  const Vec over = choose(small, mul(mul(a, z), p), set(-2));
  const Vec under = choose(small, q, add(e, number(1)));
  const Vec y = add(div(over, under), choose(small, a, set(1)));
  return v_.copysign(DType::kF64, y, x);
}

Vec Math64::erf_poly(const Vec& square) const {
  return poly(square, {-7.7648058950077834e-10, 1.370256913134439e-08, -1.6204216644959769e-07,
                       1.6446833684025832e-06, -1.4924685750072198e-05, 0.00012055292035174393,
                       -0.0008548325870703971, 0.0052239776046899659, -0.026866170642899308,
                       0.11283791670942442, -0.37612638903183454, 0.12837916709551256});
}

// Of (a - 3) / (a + 3), times 1 + 2 a.
Math64::Quotient Math64::scaled_erfc(const Vec& a) const {
  const Vec t = div(sub(a, number(3)), add(a, number(3))), under = set(2);
  fma_in_place(under, a, number(1));
  return {poly(t, {7.3758617397822503e-08,  -3.9420050681771652e-08, -6.3274012963679776e-07,
                   2.7565306552220255e-07,  3.5058937309729034e-06,  -7.0048681336420852e-07,
                   -2.0118126653848467e-05, 4.9428583088802151e-06,  0.00012510397195006153,
                   -0.00010515894205611528, -0.00077983296279271323, 0.0018886902853516567,
                   0.0025293918755662712,   -0.023770514913859692,   0.068308027341194871,
                   -0.11927366341553704,    0.12964515870282065,     -0.047562294353444917,
                   -0.13562110612458156,    1.2530080582697296}),
          under};
}

// Below 1 x + x P(x^2), beyond 1 - erfc, which is less than half a last bit from 6 on.
Vec Math64::erf(const Vec& x) const {
  const Vec a = magnitude(x), c = at_most(6, a);
  const Vec near = erf_poly(mul(a, a));
  fma_in_place(near, a, a);
  const Vec over =
      poly(c, {2.46196981473530512524e-10, 5.64189564831068821977e-1, 7.46321056442269912687,
               4.86371970985681366614e1, 1.96520832956077098242e2, 5.26445194995477358631e2,
               9.34528527171957607540e2, 1.02755188689515710272e3, 5.57535335369399327526e2});
  const Vec under =
      poly(c, {1, 1.32281951154744992508e1, 8.67072140885989742329e1, 3.54937778887819891062e2,
               9.75708501743205489753e2, 1.82390916687909736289e3, 2.24633760818710981792e3,
               1.65666309194161350182e3, 5.57535340817727675546e2});
  const Vec far = div(mul(exp_within(mul(sub(set(0), c), c)), over), under);
  const Vec y = choose(less(a, number(1)), near, sub(set(1), far));
  return v_.copysign(DType::kF64, y, x);
}

// Below 1 (1 - b) - ((x - b) + x P(x^2)), where a b of 1/2 keeps the bits of a small result; beyond
// exp(-a^2) times a quotient, mirrored for negative x. What the square loses would be many last
// bits of a far exp.
Vec Math64::erfc(const Vec& x) const {
  const Vec a = at_most(28, magnitude(x));
  const Vec base = choose(less(x, number(0.5)), set(0), set(0.5));
  const Vec near = erf_poly(mul(x, x));
  fma_in_place(near, x, sub(x, base));

  const Vec square = mul(a, a), lost = copy(square);
  cc_.emit(ins::kIdVfmsub231pd, lost, a, a);
  const auto [r, n] = reduce_exp(sub(set(0), square));
  const auto [over, under] = scaled_erfc(a);
  const Vec product = exp_poly(sub(r, lost));
  fma_in_place(product, over, over);  // with exp's 1, rounded once
  const Vec far = scale(div(product, under), n);
  const Vec mirrored = choose(less(x, number(0)), sub(set(2), far), far);
  return choose(less(a, number(1)), sub(sub(set(1), base), near), mirrored);
}

// Quadrant 0 is the sine, 1 the cosine of r - lost. Pi / 2 in three parts: the first leaves an
// exact remainder, and what the second's product and difference round away makes up `lost` with the
// third.
Vec Math64::trig(const Vec& x, int quadrant) const {
  // Adding 0 makes 0 of -0: with it, and the parts of pi / 2 all positive, an r of -0 survives.
  const Vec n =
      add(v_.round_whole(DType::kF64, mul(x, number(0x1.45f306dc9c883p-1)), 0), number(0));
  const Vec exact = copy(x);
  cc_.emit(ins::kIdVfnmadd231pd, exact, n, number(0x1.921fb54442d18p+0));
  const Vec product = mul(n, number(0x1.1a62633145c06p-54));
  const Vec r = sub(exact, product);
  const Vec lost = add(sub(r, exact), product);
  cc_.emit(ins::kIdVfmsub231pd, product, n, number(0x1.1a62633145c06p-54));
  cc_.emit(ins::kIdVfmadd231pd, product, n, number(0x1.c1cd129024e09p-107));
  cc_.emit(ins::kIdVaddpd, lost, lost, product);
  const Vec q = add(n, number(kWhole + quadrant)), sign = v_.vec(8);
  cc_.emit(ins::kIdVpsllq, sign, q, Imm(62));
  cc_.emit(ins::kIdVandpd, sign, sign, number(-0.0));
  const Reg odd = v_.wide() ? Reg(cc_.newKw()) : Reg(v_.vec(8));
  if (v_.wide()) {
    cc_.emit(ins::kIdVptestmq, odd, q, word(1));
  } else {
    cc_.emit(ins::kIdVpsllq, odd, q, Imm(63));
  }
  const Vec s = mul(r, r);
  return emit(ins::kIdVxorpd, choose(odd, cosine(r, s, lost), sine(r, s, lost)), sign);
}

// r - (lost + r^3 P(s)): a sum that began with anything but r would lose the sign of -0.
Vec Math64::sine(const Vec& r, const Vec& s, const Vec& lost) const {
  const Vec p = poly(
      s, {-1.58969099521155010221e-10, 2.50507602534068634195e-08, -2.75573137070700676789e-06,
          1.98412698298579493134e-04, -8.33333333332248946124e-03, 1.66666666666666324348e-01});
  fma_in_place(p, mul(r, s), lost);
  return sub(r, p);
}

// h + ((1 - h - s / 2) + s^2 Q(s) + r lost) with h = 1 - s / 2 rounded.
Vec Math64::cosine(const Vec& r, const Vec& s, const Vec& lost) const {
  const Vec one = set(1), half = mul(s, number(0.5));
  const Vec h = sub(one, half);
  const Vec rest = sub(sub(one, h), half);
  const Vec q = poly(
      s, {-1.13596475577881948265e-11, 2.08757232129817482790e-09, -2.75573143513906633035e-07,
          2.48015872894767294178e-05, -1.38888888888741095749e-03, 4.16666666666666019037e-02});
  fma_in_place(q, mul(s, s), rest);
  cc_.emit(ins::kIdVfmadd231pd, q, r, lost);
  return add(h, q);
}

Vec Math64::atan(const Vec& x) const {
  const Vec a = magnitude(x), one = set(1);
  const Reg steep = less(one, a);
  const Vec t = choose(steep, div(one, a), a);
  const Vec s = mul(t, t);
  const Vec p = poly(s, {1.2851805242397334e-05, -0.00014841831625624026, 0.00081396471795784696,
                         -0.0028355190990207095, 0.0070999855211284681,   -0.013763346705652345,
                         0.021838074673802617,   -0.029783352065939111,   0.036565143535169681,
                         -0.042153678499111211,  0.047208494315127504,    -0.052530783065543436,
                         0.058804272191223445,   -0.066663868065599874,   0.076922776778191648,
                         -0.090909068126656417,  0.11111110995908832,     -0.14285714282181675,
                         0.19999999999944268,    -0.33333333333333021});
  fma_in_place(p, mul(s, t), t);
  const Vec upright = add(sub(set(0x1.921fb54442d18p+0), p), number(0x1.1a62633145c07p-54));
  return v_.copysign(DType::kF64, choose(steep, upright, p), x);
}

}  // namespace torchweld::x86
