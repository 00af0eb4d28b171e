// The primitives' scalar semantics.
#include "kernels/scalar.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "kernels/half.h"

namespace torchweld {
namespace {

template <class T>
T& member(Scalar& s) {
  if constexpr (std::is_same_v<T, float>) return s.f32;
  if constexpr (std::is_same_v<T, double>) return s.f64;
  if constexpr (std::is_same_v<T, int64_t>) return s.i64;
  if constexpr (std::is_same_v<T, int32_t>) return s.i32;
  if constexpr (std::is_same_v<T, bool>) return s.b;
}

template <class T>
Scalar scalar(T value) {
  Scalar s{};
  member<T>(s) = value;
  return s;
}

template <class F>
Scalar with_type(DType type, F&& f) {
  switch (type) {
    case DType::kF32:
      return f(float{});
    case DType::kF64:
      return f(double{});
    case DType::kI64:
      return f(int64_t{});
    case DType::kI32:
      return f(int32_t{});
    default:
      return f(bool{});
  }
}

template <class T>
T float_unary(Prim prim, T a) {
  switch (prim) {
    case Prim::kSqrt:
      return std::sqrt(a);
    case Prim::kRsqrt:
      return T(1) / std::sqrt(a);
    case Prim::kFloor:
      return std::floor(a);
    case Prim::kCeil:
      return std::ceil(a);
    case Prim::kTrunc:
      return std::trunc(a);
    case Prim::kRint:
      return std::nearbyint(a);
    case Prim::kExp:
      return std::exp(a);
    case Prim::kExpm1:
      return std::expm1(a);
    case Prim::kLog:
      return std::log(a);
    case Prim::kLog1p:
      return std::log1p(a);
    case Prim::kTanh:
      return std::tanh(a);
    case Prim::kErf:
      return std::erf(a);
    case Prim::kErfc:
      return std::erfc(a);
    case Prim::kSin:
      return std::sin(a);
    case Prim::kCos:
      return std::cos(a);
    case Prim::kAtan:
      return std::atan(a);
    default:
      return a;
  }
}

// ATen/native/cpu/BinaryOpsKernel.cpp, div_floor_floating.
template <class T>
T floor_div_float(T a, T b) {
  if (b == 0) return a / b;
  const T mod = std::fmod(a, b);
  T div = (a - mod) / b;
  if (mod != 0 && (b < 0) != (mod < 0)) div -= T(1);
  if (div == 0) return std::copysign(T(0), a / b);
  const T floored = std::floor(div);
  return div - floored > T(0.5) ? floored + T(1) : floored;
}

template <class T>
T float_binary(Prim prim, T a, T b) {
  switch (prim) {
    case Prim::kAdd:
      return a + b;
    case Prim::kSub:
      return a - b;
    case Prim::kMul:
      return a * b;
    case Prim::kDiv:
      return a / b;
    case Prim::kFloorDiv:
      return floor_div_float(a, b);
    case Prim::kFmod:
      return std::fmod(a, b);
    case Prim::kRemainder: {
      const T mod = std::fmod(a, b);
      return mod != 0 && (b < 0) != (mod < 0) ? mod + b : mod;
    }
    case Prim::kMin:
      return std::isnan(a) || a < b ? a : b;
    case Prim::kMax:
      return std::isnan(a) || a > b ? a : b;
    case Prim::kCopysign:
      return std::copysign(a, b);
    case Prim::kPow:
      return std::pow(a, b);
    default:
      return a;
  }
}

// ATen/native/Pow.h, powi: a negative exponent leaves 1 and -1 only.
template <class T>
T int_pow(T a, T b) {
  if (b < 0) {
    if (a == 1) return 1;
    return a == -1 ? (b % 2 == 0 ? 1 : -1) : 0;
  }
  using U = std::make_unsigned_t<T>;
  U base = static_cast<U>(a), result = 1;
  for (U left = static_cast<U>(b); left != 0; left >>= 1) {
    if (left & 1) result *= base;
    base *= base;
  }
  return static_cast<T>(result);
}

template <class T>
T int_divide(Prim prim, T a, T b) {
  if (b == 0) return 0;
  // The one quotient that overflows traps on x86; ATen's other processors wrap.
  if (b == -1) {
    if (prim == Prim::kDiv || prim == Prim::kFloorDiv)
      return static_cast<T>(0 - static_cast<std::make_unsigned_t<T>>(a));
    return 0;
  }
  const T quotient = a / b, mod = a % b;
  const bool off = mod != 0 && (b < 0) != (mod < 0);
  if (prim == Prim::kDiv) return quotient;
  if (prim == Prim::kFloorDiv) return off ? quotient - 1 : quotient;
  if (prim == Prim::kFmod) return mod;
  return off ? mod + b : mod;
}

template <class T>
T int_binary(Prim prim, T a, T b) {
  using U = std::make_unsigned_t<T>;
  constexpr int kBits = std::numeric_limits<U>::digits;
  const U ua = static_cast<U>(a), ub = static_cast<U>(b);
  switch (prim) {
    case Prim::kAdd:
      return static_cast<T>(ua + ub);
    case Prim::kSub:
      return static_cast<T>(ua - ub);
    case Prim::kMul:
      return static_cast<T>(ua * ub);
    case Prim::kMin:
      return a < b ? a : b;
    case Prim::kMax:
      return a > b ? a : b;
    case Prim::kAnd:
      return a & b;
    case Prim::kOr:
      return a | b;
    case Prim::kXor:
      return a ^ b;
    case Prim::kShl:
      return ub >= U{kBits} ? 0 : static_cast<T>(ua << ub);
    case Prim::kShr:
      return a >> (ub >= U{kBits} ? kBits - 1 : static_cast<int>(ub));
    case Prim::kPow:
      return int_pow(a, b);
    default:
      return int_divide(prim, a, b);
  }
}

template <class T>
T arithmetic(const Inst& inst, T a, T b, T c) {
  if (inst.prim == Prim::kAbs)
    return a < 0 || a == 0 ? static_cast<T>(std::is_floating_point_v<T> ? std::fabs(a) : T(0) - a)
                           : a;
  if (inst.prim == Prim::kFma) {
    if constexpr (std::is_floating_point_v<T>) return std::fma(a, b, c);
  }
  if constexpr (std::is_floating_point_v<T>) {
    if (inst.prim == Prim::kNeg) return -a;
    return arity_of(inst.prim) == 1 ? float_unary(inst.prim, a) : float_binary(inst.prim, a, b);
  } else {
    if (inst.prim == Prim::kNeg) return int_binary(Prim::kSub, T{0}, a);
    if (inst.prim == Prim::kNot) return ~a;
    return arity_of(inst.prim) == 1 ? a : int_binary(inst.prim, a, b);
  }
}

bool logical(Prim prim, bool a, bool b) {
  switch (prim) {
    case Prim::kAnd:
      return a && b;
    case Prim::kOr:
      return a || b;
    case Prim::kXor:
      return a != b;
    default:
      return !a;
  }
}

template <class T>
bool compare(Prim prim, T a, T b) {
  switch (prim) {
    case Prim::kEq:
      return a == b;
    case Prim::kNe:
      return a != b;
    case Prim::kLt:
      return a < b;
    default:
      return a <= b;
  }
}

// Out of range, x86's conversion instructions give the most negative integer; so do these.
template <class To, class From>
To convert(From value) {
  if constexpr (std::is_same_v<To, bool>) {
    return value != From(0);
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    constexpr From kLimit = From(int64_t{1} << (8 * sizeof(To) - 2)) * 2;
    if (!(value < kLimit && value >= -kLimit)) return std::numeric_limits<To>::min();
    return static_cast<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

Scalar narrow(const Inst& inst, Scalar a) {
  if (inst.to == DType::kF16) return scalar(f32_of_f16(f16_of_f32(a.f32)));
  if (inst.to == DType::kBF16) return scalar(f32_of_bf16(bf16_of_f32(a.f32)));
  if (inst.to == DType::kI8) return scalar<int32_t>(static_cast<int8_t>(a.i32));
  if (inst.to == DType::kU8) return scalar<int32_t>(static_cast<uint8_t>(a.i32));
  if (inst.to == DType::kI16) return scalar<int32_t>(static_cast<int16_t>(a.i32));
  return a;
}

bool is_compare(Prim prim) {
  return prim == Prim::kEq || prim == Prim::kNe || prim == Prim::kLt || prim == Prim::kLe;
}

}  // namespace

Scalar eval_scalar(const Inst& inst, DType arg_type, Scalar a, Scalar b, Scalar c) {
  if (inst.prim == Prim::kConst) {
    return with_type(inst.type, [&](auto tag) {
      using T = decltype(tag);
      return scalar(static_cast<T>(std::is_floating_point_v<T> ? T(inst.imm) : T(inst.imm_int)));
    });
  }
  if (inst.prim == Prim::kRound || inst.prim == Prim::kWrap) return narrow(inst, a);
  if (inst.prim == Prim::kSelect) return a.b ? b : c;
  if (inst.prim == Prim::kCast) {
    return with_type(arg_type, [&](auto from) {
      return with_type(inst.type, [&](auto to) {
        return scalar(convert<decltype(to)>(member<decltype(from)>(a)));
      });
    });
  }
  if (is_compare(inst.prim)) {
    return with_type(arg_type, [&](auto tag) {
      using T = decltype(tag);
      return scalar(compare(inst.prim, member<T>(a), member<T>(b)));
    });
  }
  if (inst.type == DType::kBool) return scalar(logical(inst.prim, a.b, b.b));
  return with_type(inst.type, [&](auto tag) {
    using T = decltype(tag);
    if constexpr (std::is_same_v<T, bool>) {
      return a;
    } else {
      return scalar(arithmetic(inst, member<T>(a), member<T>(b), member<T>(c)));
    }
  });
}

namespace {

template <class T>
T read(const void* address) {
  T value;
  std::memcpy(&value, address, sizeof(T));
  return value;
}

template <class T>
void write(T value, void* address) {
  std::memcpy(address, &value, sizeof(T));
}

}  // namespace

Scalar scalar_of(DType type, double value) {
  Inst constant;
  constant.type = type;
  constant.imm = value;
  constant.imm_int = is_floating(type) ? 0 : static_cast<int64_t>(value);
  return eval_scalar(constant, type, {}, {}, {});
}

Scalar load_scalar(DType dtype, const void* address) {
  switch (dtype) {
    case DType::kF16:
      return scalar(f32_of_f16(read<uint16_t>(address)));
    case DType::kBF16:
      return scalar(f32_of_bf16(read<uint16_t>(address)));
    case DType::kI16:
      return scalar<int32_t>(read<int16_t>(address));
    case DType::kI8:
      return scalar<int32_t>(read<int8_t>(address));
    case DType::kU8:
      return scalar<int32_t>(read<uint8_t>(address));
    case DType::kBool:
      return scalar(read<uint8_t>(address) != 0);
    case DType::kF32:
    case DType::kI32:
      return scalar(read<int32_t>(address));
    default:
      return scalar(read<int64_t>(address));
  }
}

void store_scalar(DType dtype, Scalar value, void* address) {
  switch (dtype) {
    case DType::kF16:
      return write(f16_of_f32(value.f32), address);
    case DType::kBF16:
      return write(bf16_of_f32(value.f32), address);
    case DType::kI16:
      return write(static_cast<int16_t>(value.i32), address);
    case DType::kI8:
    case DType::kU8:
      return write(static_cast<uint8_t>(value.i32), address);
    case DType::kBool:
      return write(static_cast<uint8_t>(value.b), address);
    case DType::kF32:
    case DType::kI32:
      return write(value.i32, address);
    default:
      return write(value.i64, address);
  }
}

}  // namespace torchweld
