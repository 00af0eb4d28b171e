// The scalar primitives: all that a code generator has to implement.
#pragma once

#include <cstdint>
#include <string_view>

namespace torchweld {

/// Every primitive as X(kName, "text", arity). Semantics are ATen's: IEEE special values, integers
/// wrap.
#define TORCHWELD_PRIMS(X)           \
  X(kConst, "const", 0)              \
  X(kLoad, "load", 0)                \
  X(kCoord, "coord", 0)              \
  X(kParam, "param", 0)              \
  X(kCast, "cast", 1)                \
  X(kRound, "round_to", 1)           \
  X(kWrap, "wrap", 1)                \
  X(kAdd, "add", 2)                  \
  X(kSub, "sub", 2)                  \
  X(kMul, "mul", 2)                  \
  X(kDiv, "div", 2)                  \
  X(kFloorDiv, "floor_div", 2)       \
  X(kFmod, "fmod", 2)                \
  X(kRemainder, "remainder", 2)      \
  X(kFma, "fma", 3)                  \
  X(kMin, "min", 2)                  \
  X(kMax, "max", 2)                  \
  X(kEq, "eq", 2)                    \
  X(kNe, "ne", 2)                    \
  X(kLt, "lt", 2)                    \
  X(kLe, "le", 2)                    \
  X(kSelect, "select", 3)            \
  X(kCopysign, "copysign", 2)        \
  X(kAbs, "abs", 1)                  \
  X(kNeg, "neg", 1)                  \
  X(kSqrt, "sqrt", 1)                \
  X(kRsqrt, "rsqrt", 1)              \
  X(kFloor, "floor", 1)              \
  X(kCeil, "ceil", 1)                \
  X(kTrunc, "trunc", 1)              \
  X(kRint, "rint", 1)                \
  X(kExp, "exp", 1)                  \
  X(kExpm1, "expm1", 1)              \
  X(kLog, "log", 1)                  \
  X(kLog1p, "log1p", 1)              \
  X(kTanh, "tanh", 1)                \
  X(kErf, "erf", 1)                  \
  X(kErfc, "erfc", 1)                \
  X(kSin, "sin", 1)                  \
  X(kCos, "cos", 1)                  \
  X(kAtan, "atan", 1)                \
  X(kPow, "pow", 2)                  \
  X(kAnd, "and", 2)                  \
  X(kOr, "or", 2)                    \
  X(kXor, "xor", 2)                  \
  X(kNot, "not", 1)                  \
  X(kShl, "shl", 2)                  \
  X(kShr, "shr", 2)                  \
  X(kSum, "sum", 1)                  \
  X(kProduct, "product", 1)          \
  X(kLargest, "largest", 1)          \
  X(kSmallest, "smallest", 1)        \
  X(kArgLargest, "arg_largest", 1)   \
  X(kArgSmallest, "arg_smallest", 1) \
  X(kRunningSum, "running_sum", 1)

/// kMin and kMax propagate NaN. kLt and kLe are false on NaN, kNe is true. kDiv is a float
/// division, or one that truncates on integers. kFloorDiv, kFmod and kRemainder are ATen's floor
/// division, C's fmod and Python's modulo. kCast float to integer truncates; to bool it is `!= 0`.
/// kAnd, kOr, kXor, kNot take bool (logical) or integers (bitwise).
///
/// kCoord is the element's place along dimension `imm_int` of the domain, kParam launch parameter
/// `imm_int`; both i64. kSum to kArgSmallest reduce their operand over the domain's reduced
/// dimensions: one value a row. kLargest and kSmallest propagate NaN; of bools they are any and
/// all. kArg* give i64: where in the row (row-major over the reduced dimensions) the first of the
/// equal ones, or the first NaN, stands. Over no elements: 0, 1, the type's lowest, the type's
/// highest, 0. kRunningSum is the sum of the row up to and with the element.
enum class Prim : uint8_t {
#define X(name, text, arity) name,
  TORCHWELD_PRIMS(X)
#undef X
};

std::string_view name_of(Prim prim);
int arity_of(Prim prim);

/// One value a row.
constexpr bool is_reduction(Prim prim) { return prim >= Prim::kSum && prim <= Prim::kArgSmallest; }
/// Depends on other elements of the row.
constexpr bool needs_row(Prim prim) { return prim >= Prim::kSum && prim <= Prim::kRunningSum; }

}  // namespace torchweld
