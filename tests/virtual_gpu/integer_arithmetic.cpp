// Integer arithmetic, with carries and wide products.
#include "tests/virtual_gpu/decode.h"
#include "tests/virtual_gpu/lanes.h"

namespace torchweld::virtual_gpu {
namespace {

template <class T>
using Unsigned = std::make_unsigned_t<T>;

struct Add {
  template <class T>
  T operator()(T x, T y) const {
    return static_cast<T>(Unsigned<T>(x) + Unsigned<T>(y));
  }
};
struct Sub {
  template <class T>
  T operator()(T x, T y) const {
    return static_cast<T>(Unsigned<T>(x) - Unsigned<T>(y));
  }
};
struct MulLow {
  template <class T>
  T operator()(T x, T y) const {
    return static_cast<T>(static_cast<uint64_t>(x) * static_cast<uint64_t>(y));
  }
};
struct MulHighU64 {
  uint64_t operator()(uint64_t x, uint64_t y) const {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(x) * y) >> 64);
  }
};
// Division by zero gives what hardware gives: all ones, and the dividend as remainder.
struct Div {
  template <class T>
  T operator()(T x, T y) const {
    if (y == 0) return static_cast<T>(-1);
    if (std::is_signed_v<T> && y == static_cast<T>(-1)) return Sub{}(T(0), x);
    return static_cast<T>(x / y);
  }
};
struct Rem {
  template <class T>
  T operator()(T x, T y) const {
    if (y == 0) return x;
    if (std::is_signed_v<T> && y == static_cast<T>(-1)) return T(0);
    return static_cast<T>(x % y);
  }
};
struct Max {
  template <class T>
  T operator()(T x, T y) const {
    return x > y ? x : y;
  }
};
struct Min {
  template <class T>
  T operator()(T x, T y) const {
    return x < y ? x : y;
  }
};
struct And {
  template <class T>
  T operator()(T x, T y) const {
    return x & y;
  }
};
struct Or {
  template <class T>
  T operator()(T x, T y) const {
    return x | y;
  }
};
struct Xor {
  template <class T>
  T operator()(T x, T y) const {
    return x ^ y;
  }
};
struct Neg {
  template <class T>
  T operator()(T x) const {
    return Sub{}(T(0), x);
  }
};
struct Abs {
  template <class T>
  T operator()(T x) const {
    return x < 0 ? Sub{}(T(0), x) : x;
  }
};

/// A register as a signed or unsigned number of the instruction's type.
__int128 widened(Type t, uint64_t bits) {
  const int width = 8 * size_of(t);
  if (is_signed(t)) return static_cast<int64_t>(bits << (64 - width)) >> (64 - width);
  return width == 64 ? static_cast<unsigned __int128>(bits) : bits & ((1ull << width) - 1);
}

uint64_t low_bits(unsigned __int128 value, int width) {
  return width >= 64 ? static_cast<uint64_t>(value)
                     : static_cast<uint64_t>(value) & ((1ull << width) - 1);
}

/// mul and mad in all widths; code: 0 low, 1 high, 2 wide.
void multiply(Warp& w, const Instruction& i, uint32_t active) {
  const int width = 8 * size_of(i.type);
  uint64_t r[kLanes] = {};
  each_lane(active, [&](int l) {
    unsigned __int128 product =
        static_cast<unsigned __int128>(widened(i.type, value_of(w, i.operands[1], l)) *
                                       widened(i.type, value_of(w, i.operands[2], l)));
    if (i.code == 1) product >>= width;
    if (i.op == "mad") product += value_of(w, i.operands[3], l);
    r[l] = low_bits(product, i.code == 2 ? 2 * width : width);
  });
  put(w, i.operands[0], active, r);
}

/// add.cc, addc, subc, madc: 32-bit words of longer numbers.
void with_carry(Warp& w, const Instruction& i, uint32_t active) {
  const bool takes = i.op.back() == 'c', subtracts = i.op.starts_with("sub");
  const bool multiplies = i.op.starts_with("mad");
  uint64_t r[kLanes] = {};
  each_lane(active, [&](int l) {
    uint64_t x = static_cast<uint32_t>(value_of(w, i.operands[1], l));
    uint64_t y = static_cast<uint32_t>(value_of(w, i.operands[2], l));
    uint32_t& carry = w.carry[static_cast<size_t>(l)];
    const uint64_t in = takes ? carry : 0;
    if (multiplies) {
      const uint64_t product =
          i.type == Type::kS32
              ? static_cast<uint64_t>(static_cast<int64_t>(static_cast<int32_t>(x)) *
                                      static_cast<int32_t>(y))
              : x * y;
      x = i.has("hi") ? product >> 32 : static_cast<uint32_t>(product);
      y = static_cast<uint32_t>(value_of(w, i.operands[3], l));
    }
    const uint64_t sum = subtracts ? x - y - in : x + y + in;
    if (i.has("cc")) carry = static_cast<uint32_t>(sum >> 32 & 1);
    r[l] = static_cast<uint32_t>(sum);
  });
  put(w, i.operands[0], active, r);
}

Execute product(Instruction* i) {
  i->code = i->has("wide") ? 2 : i->has("hi") ? 1 : 0;
  if (i->op == "mul" && i->code == 0) return integer_binary(i->type, MulLow{});
  if (i->op == "mul" && i->code == 1 && i->type == Type::kU64)
    return binary<uint64_t>(MulHighU64{});
  return multiply;
}

bool is_integer(Type t) { return t >= Type::kU16 && t <= Type::kB64; }

}  // namespace

Execute integer_arithmetic(Instruction* i) {
  const std::string& op = i->op;
  if (op == "and" || op == "or" || op == "xor") {  // of predicates too
    if (i->type != Type::kPred && !is_integer(i->type)) return nullptr;
    if (op == "and") return integer_binary(i->type, And{});
    return op == "or" ? integer_binary(i->type, Or{}) : integer_binary(i->type, Xor{});
  }
  if (!is_integer(i->type)) return nullptr;
  const bool carries = i->has("cc") || op == "addc" || op == "subc" || op == "madc";
  if (carries) {
    if (size_of(i->type) != 4) return nullptr;
    return op.starts_with("add") || op.starts_with("sub") || op.starts_with("mad") ? with_carry
                                                                                   : nullptr;
  }
  if (op == "mul" || op == "mad") return product(i);
  if (op == "add") return integer_binary(i->type, Add{});
  if (op == "sub") return integer_binary(i->type, Sub{});
  if (op == "div") return integer_binary(i->type, Div{});
  if (op == "rem") return integer_binary(i->type, Rem{});
  if (op == "max") return integer_binary(i->type, Max{});
  if (op == "min") return integer_binary(i->type, Min{});
  if (op == "neg" || op == "abs") {
    const bool neg = op == "neg";
    if (size_of(i->type) == 2) return neg ? unary<int16_t>(Neg{}) : unary<int16_t>(Abs{});
    if (size_of(i->type) == 4) return neg ? unary<int32_t>(Neg{}) : unary<int32_t>(Abs{});
    return neg ? unary<int64_t>(Neg{}) : unary<int64_t>(Abs{});
  }
  return nullptr;
}

}  // namespace torchweld::virtual_gpu
