// f32 and f64 arithmetic. Contraction is explicit in PTX, so the host does each operation exactly;
// approximate instructions are libm's, some ulps off unless the launch asks for the exact ones.
#include <bit>
#include <cmath>

#include "tests/virtual_gpu/decode.h"
#include "tests/virtual_gpu/lanes.h"
#include "tests/virtual_gpu/launcher.h"

namespace torchweld::virtual_gpu {
namespace {

struct Add {
  template <class T>
  T operator()(T x, T y) const {
    return x + y;
  }
};
struct Sub {
  template <class T>
  T operator()(T x, T y) const {
    return x - y;
  }
};
struct Mul {
  template <class T>
  T operator()(T x, T y) const {
    return x * y;
  }
};
struct Div {
  template <class T>
  T operator()(T x, T y) const {
    return x / y;
  }
};
struct Max {
  template <class T>
  T operator()(T x, T y) const {
    return x == y ? (std::signbit(x) ? y : x) : std::fmax(x, y);
  }
};
struct Min {
  template <class T>
  T operator()(T x, T y) const {
    return x == y ? (std::signbit(x) ? x : y) : std::fmin(x, y);
  }
};
struct MaxNan {
  template <class T>
  T operator()(T x, T y) const {
    return std::isnan(x) || std::isnan(y) ? std::numeric_limits<T>::quiet_NaN() : Max{}(x, y);
  }
};
struct MinNan {
  template <class T>
  T operator()(T x, T y) const {
    return std::isnan(x) || std::isnan(y) ? std::numeric_limits<T>::quiet_NaN() : Min{}(x, y);
  }
};
// The sign of the first operand on the second's magnitude.
struct CopySign {
  template <class T>
  T operator()(T x, T y) const {
    return std::copysign(y, x);
  }
};
struct Neg {
  template <class T>
  T operator()(T x) const {
    return -x;
  }
};
struct Abs {
  template <class T>
  T operator()(T x) const {
    return std::fabs(x);
  }
};
struct Rcp {
  template <class T>
  T operator()(T x) const {
    return T(1) / x;
  }
};
struct Sqrt {
  template <class T>
  T operator()(T x) const {
    return std::sqrt(x);
  }
};
struct Rsqrt {
  template <class T>
  T operator()(T x) const {
    return 1 / std::sqrt(x);
  }
};
struct Exp2 {
  template <class T>
  T operator()(T x) const {
    return std::exp2(x);
  }
};
struct Log2 {
  template <class T>
  T operator()(T x) const {
    return std::log2(x);
  }
};
struct Sin {
  template <class T>
  T operator()(T x) const {
    return std::sin(x);
  }
};
struct Cos {
  template <class T>
  T operator()(T x) const {
    return std::cos(x);
  }
};
struct Tanh {
  template <class T>
  T operator()(T x) const {
    return std::tanh(x);
  }
};
struct Fma {
  template <class T>
  T operator()(T x, T y, T z) const {
    return std::fma(x, y, z);
  }
};

template <class T>
T flushed(T x) {
  return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(T(0), x) : x;
}
/// .ftz: denormals in and out are zeros of their sign.
template <class F>
struct Flushing {
  template <class... T>
  auto operator()(T... x) const {
    return flushed(F{}(flushed(x)...));
  }
};
template <class F>
struct Saturating {
  template <class... T>
  auto operator()(T... x) const {
    const auto r = F{}(x...);
    return std::isnan(r) ? decltype(r)(0) : std::fmin(std::fmax(r, decltype(r)(0)), decltype(r)(1));
  }
};

uint64_t bits_of(float x) { return std::bit_cast<uint32_t>(x); }
uint64_t bits_of(double x) { return std::bit_cast<uint64_t>(x); }

/// How far off an approximation may be. Zeros have results that the PTX manual names; by whole
/// powers of two libdevice scales its own results. Up to a half, ex2 is what expf is made of: of
/// the two ulps that CUDA documents for expf, a quarter goes into the reduction of its argument.
template <class T>
double most_ulps(const Instruction& i, T x) {
  if (x == 0) return 0;
  if (i.op != "ex2") return 2;
  return x == std::trunc(x) ? 0 : x > 0 && x < 1 ? 1.75 : 2;
}

/// An approximation is some ulps away from the exact value: the launch says how many.
template <class T, class F>
void approximate(Warp& w, const Instruction& i, uint32_t active) {
  using Wide = std::conditional_t<std::is_same_v<T, float>, double, long double>;
  constexpr bool kTwo = std::is_same_v<F, Div>;
  const bool flushes = i.has("ftz");
  T x[kLanes], r[kLanes], y[kLanes] = {};
  fetch(w, i.operands[1], x);
  if constexpr (kTwo) fetch(w, i.operands[2], y);
  for (int l = 0; l < kLanes; ++l) {
    if (flushes) x[l] = flushed(x[l]), y[l] = flushed(y[l]);
    Wide exact;
    if constexpr (kTwo) {
      exact = F{}(Wide{x[l]}, Wide{y[l]});
    } else {
      exact = F{}(Wide{x[l]});
    }
    const uint64_t operands = bits_of(x[l]) ^ std::rotl(bits_of(y[l]), 32);
    r[l] = w.block->launcher->jittered(exact, most_ulps(i, x[l]),
                                       operands + static_cast<uint64_t>(i.code));
    if (flushes) r[l] = flushed(r[l]);
  }
  put(w, i.operands[0], active, r);
}

template <class T, class F>
Execute choose_binary(const Instruction& i) {
  if (i.has("ftz") && i.has("sat")) return binary<T>(Saturating<Flushing<F>>{});
  if (i.has("ftz")) return binary<T>(Flushing<F>{});
  return i.has("sat") ? binary<T>(Saturating<F>{}) : binary<T>(F{});
}

template <class T, class F>
Execute choose_unary(const Instruction& i) {
  if (i.has("approx")) return approximate<T, F>;
  return i.has("ftz") ? unary<T>(Flushing<F>{}) : unary<T>(F{});
}

/// Other rounding modes than to nearest even, where NVRTC emits them: in double intervals of
/// libdevice.
bool rounds_to_nearest(const Instruction& i) {
  return !i.has("rz") && !i.has("rm") && !i.has("rp");
}

/// f32 operations that round towards zero or outwards, by way of the exact result in double.
template <class F>
Execute directed(F) {
  return [](Warp& w, const Instruction& i, uint32_t active) {
    float x[kLanes], y[kLanes], z[kLanes] = {}, r[kLanes];
    fetch(w, i.operands[1], x);
    fetch(w, i.operands[2], y);
    if (i.operands.size() > 3) fetch(w, i.operands[3], z);
    for (int l = 0; l < kLanes; ++l) {
      const double exact = F{}(double(x[l]), double(y[l]), double(z[l]));
      float near = static_cast<float>(exact);
      const bool down = i.has("rm") || (i.has("rz") && exact > 0);
      const bool up = i.has("rp") || (i.has("rz") && exact < 0);
      if (down && near > exact) near = std::nextafter(near, -INFINITY);
      if (up && near < exact) near = std::nextafter(near, INFINITY);
      r[l] = near;
    }
    put(w, i.operands[0], active, r);
  };
}

Execute directed_f32(const Instruction& i) {
  if (i.op == "add") return directed([](double x, double y, double) { return x + y; });
  if (i.op == "sub") return directed([](double x, double y, double) { return x - y; });
  if (i.op == "mul") return directed([](double x, double y, double) { return x * y; });
  if (i.op == "fma")
    return directed([](double x, double y, double z) { return std::fma(x, y, z); });
  return nullptr;
}

template <class T>
Execute of_type(const Instruction& i) {
  const std::string& op = i.op;
  if (op == "add") return choose_binary<T, Add>(i);
  if (op == "sub") return choose_binary<T, Sub>(i);
  if (op == "mul") return choose_binary<T, Mul>(i);
  if (op == "div") {
    if (!i.has("approx") && !i.has("full")) return choose_binary<T, Div>(i);
    return approximate<T, Div>;
  }
  if (op == "max") return i.has("NaN") ? choose_binary<T, MaxNan>(i) : choose_binary<T, Max>(i);
  if (op == "min") return i.has("NaN") ? choose_binary<T, MinNan>(i) : choose_binary<T, Min>(i);
  if (op == "copysign") return binary<T>(CopySign{});
  if (op == "fma" || op == "mad") {
    if (i.has("sat")) return ternary<T>(Saturating<Fma>{});
    return i.has("ftz") ? ternary<T>(Flushing<Fma>{}) : ternary<T>(Fma{});
  }
  if (op == "neg") return choose_unary<T, Neg>(i);
  if (op == "abs") return choose_unary<T, Abs>(i);
  if (op == "rcp") return choose_unary<T, Rcp>(i);
  if (op == "sqrt") return choose_unary<T, Sqrt>(i);
  if (op == "rsqrt") return choose_unary<T, Rsqrt>(i);
  if (op == "ex2") return choose_unary<T, Exp2>(i);
  if (op == "lg2") return choose_unary<T, Log2>(i);
  if (op == "sin") return choose_unary<T, Sin>(i);
  if (op == "cos") return choose_unary<T, Cos>(i);
  if (op == "tanh") return choose_unary<T, Tanh>(i);
  return nullptr;
}

}  // namespace

Execute real_arithmetic(Instruction* i) {
  if (i->type != Type::kF32 && i->type != Type::kF64) return nullptr;
  if (i->op == "atom" || i->op == "red") return nullptr;
  uint32_t name = 0;  // tells approximations of the same number apart
  for (const char letter : i->op) name = name * 31 + static_cast<uint8_t>(letter);
  i->code = static_cast<int>(name);
  if (!rounds_to_nearest(*i)) {
    if (i->type == Type::kF32) return directed_f32(*i);
    return nullptr;
  }
  return i->type == Type::kF32 ? of_type<float>(*i) : of_type<double>(*i);
}

}  // namespace torchweld::virtual_gpu
