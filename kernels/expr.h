// The notation in which ops.def is written: C++ expressions that append primitives to a body.
#pragma once

#include <initializer_list>

#include "kernels/body_builder.h"

namespace torchweld {

/// A value under construction. Both sides of an operator have one type; a number takes the other
/// side's.
struct Expr {
  BodyBuilder* body = nullptr;
  int16_t value = -1;

  DType type() const { return body->type_of(value); }
  Expr number(double n) const { return {body, body->constant(type(), n)}; }
  Expr unary(Prim prim) const { return {body, body->emit(prim, type(), value)}; }
  Expr binary(Prim prim, Expr o) const { return {body, body->emit(prim, type(), value, o.value)}; }
  Expr test(Prim prim, Expr o) const {
    return {body, body->emit(prim, DType::kBool, value, o.value)};
  }
  Expr to(DType t) const { return {body, body->cast(value, t)}; }
};

// Each operator and two-operand function takes a number on either side.
#define TORCHWELD_EXPR_BINARY(name, expression)                       \
  inline Expr name(Expr a, Expr b) { return expression; }             \
  inline Expr name(Expr a, double b) { return name(a, a.number(b)); } \
  inline Expr name(double a, Expr b) { return name(b.number(a), b); }
TORCHWELD_EXPR_BINARY(operator+, a.binary(Prim::kAdd, b))
TORCHWELD_EXPR_BINARY(operator-, a.binary(Prim::kSub, b))
TORCHWELD_EXPR_BINARY(operator*, a.binary(Prim::kMul, b))
TORCHWELD_EXPR_BINARY(operator/, a.binary(Prim::kDiv, b))
TORCHWELD_EXPR_BINARY(operator==, a.test(Prim::kEq, b))
TORCHWELD_EXPR_BINARY(operator!=, a.test(Prim::kNe, b))
TORCHWELD_EXPR_BINARY(operator<, a.test(Prim::kLt, b))
TORCHWELD_EXPR_BINARY(operator<=, a.test(Prim::kLe, b))
TORCHWELD_EXPR_BINARY(operator>, b.test(Prim::kLt, a))
TORCHWELD_EXPR_BINARY(operator>=, b.test(Prim::kLe, a))
TORCHWELD_EXPR_BINARY(min, a.binary(Prim::kMin, b))
TORCHWELD_EXPR_BINARY(max, a.binary(Prim::kMax, b))
TORCHWELD_EXPR_BINARY(pow, a.binary(Prim::kPow, b))
TORCHWELD_EXPR_BINARY(fmod, a.binary(Prim::kFmod, b))
TORCHWELD_EXPR_BINARY(remainder, a.binary(Prim::kRemainder, b))
TORCHWELD_EXPR_BINARY(floor_div, a.binary(Prim::kFloorDiv, b))
TORCHWELD_EXPR_BINARY(copysign, a.binary(Prim::kCopysign, b))
#undef TORCHWELD_EXPR_BINARY

inline Expr operator&(Expr a, Expr b) { return a.binary(Prim::kAnd, b); }
inline Expr operator|(Expr a, Expr b) { return a.binary(Prim::kOr, b); }
inline Expr operator^(Expr a, Expr b) { return a.binary(Prim::kXor, b); }
inline Expr operator~(Expr a) { return a.unary(Prim::kNot); }
inline Expr operator<<(Expr a, Expr b) { return a.binary(Prim::kShl, b); }
inline Expr operator>>(Expr a, Expr b) { return a.binary(Prim::kShr, b); }
inline Expr operator-(Expr a) { return a.unary(Prim::kNeg); }
inline Expr abs(Expr a) { return a.unary(Prim::kAbs); }
inline Expr sqrt(Expr a) { return a.unary(Prim::kSqrt); }
inline Expr rsqrt(Expr a) { return a.unary(Prim::kRsqrt); }
inline Expr exp(Expr a) { return a.unary(Prim::kExp); }
inline Expr expm1(Expr a) { return a.unary(Prim::kExpm1); }
inline Expr log(Expr a) { return a.unary(Prim::kLog); }
inline Expr log1p(Expr a) { return a.unary(Prim::kLog1p); }
inline Expr tanh(Expr a) { return a.unary(Prim::kTanh); }
inline Expr erf(Expr a) { return a.unary(Prim::kErf); }
inline Expr erfc(Expr a) { return a.unary(Prim::kErfc); }
inline Expr sin(Expr a) { return a.unary(Prim::kSin); }
inline Expr cos(Expr a) { return a.unary(Prim::kCos); }
inline Expr atan(Expr a) { return a.unary(Prim::kAtan); }

/// Rounding to a whole number; integers are whole already.
inline Expr whole(Prim prim, Expr a) { return is_floating(a.type()) ? a.unary(prim) : a; }
inline Expr floor(Expr a) { return whole(Prim::kFloor, a); }
inline Expr ceil(Expr a) { return whole(Prim::kCeil, a); }
inline Expr trunc(Expr a) { return whole(Prim::kTrunc, a); }
inline Expr rint(Expr a) { return whole(Prim::kRint, a); }

/// `condition ? yes : no`, element by element.
inline Expr select(Expr condition, Expr yes, Expr no) {
  const int16_t v = yes.body->emit(Prim::kSelect, yes.type(), condition.value, yes.value, no.value);
  return {yes.body, v};
}
inline Expr select(Expr condition, Expr yes, double no) {
  return select(condition, yes, yes.number(no));
}
inline Expr select(Expr condition, double yes, Expr no) {
  return select(condition, no.number(yes), no);
}

inline Expr is_nan(Expr a) { return a != a; }

}  // namespace torchweld
