// cvt: between integers, floats and halves, with rounding to whole numbers and saturation.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/half.h"
#include "tests/virtual_gpu/decode.h"
#include "tests/virtual_gpu/lanes.h"

namespace torchweld::virtual_gpu {
namespace {

double real_of(Type t, uint64_t bits) {
  switch (t) {
    case Type::kF16:
      return f32_of_f16(static_cast<uint16_t>(bits));
    case Type::kBF16:
      return f32_of_bf16(static_cast<uint16_t>(bits));
    case Type::kF32:
      return from_bits<float>(bits);
    default:
      return from_bits<double>(bits);
  }
}

/// Hardware's quiet NaN of halves has all its bits set.
uint64_t bits_of(Type t, double x) {
  switch (t) {
    case Type::kF16:
      return std::isnan(x) ? 0x7fff : f16_of_f32(static_cast<float>(x));
    case Type::kBF16:
      return std::isnan(x) ? 0x7fff : bf16_of_f32(static_cast<float>(x));
    case Type::kF32:
      return to_bits(static_cast<float>(x));
    default:
      return to_bits(x);
  }
}

double whole(const Instruction& i, double x) {
  if (i.has("rni")) return std::nearbyint(x);
  if (i.has("rzi")) return std::trunc(x);
  if (i.has("rmi")) return std::floor(x);
  if (i.has("rpi")) return std::ceil(x);
  return x;
}

/// Float to integer clamps to the integer's range; NaN is 0.
uint64_t integer_of(Type t, double x) {
  if (std::isnan(x)) return t == Type::kS64 || t == Type::kU64 ? 0x8000000000000000ull : 0;
  const int width = 8 * size_of(t);
  const double high = std::ldexp(1.0, is_signed(t) ? width - 1 : width);
  const double low = is_signed(t) ? -high : 0;
  if (x >= high)
    return is_signed(t) ? (1ull << (width - 1)) - 1 : width == 64 ? ~0ull : (1ull << width) - 1;
  if (x <= low)
    return is_signed(t) ? ~0ull << (width - 1) & (width == 64 ? ~0ull : (1ull << width) - 1) : 0;
  return is_signed(t) ? static_cast<uint64_t>(static_cast<int64_t>(x)) : static_cast<uint64_t>(x);
}

/// An integer in the range of another integer type. A value without sign may be above int64's
/// range.
int64_t clamped(Type to, int64_t value, bool has_sign) {
  const int width = 8 * size_of(to);
  if (width == 64) {
    if (is_signed(to) == has_sign || value >= 0) return value;
    return has_sign ? 0 : std::numeric_limits<int64_t>::max();
  }
  const int64_t high = (int64_t{1} << (is_signed(to) ? width - 1 : width)) - 1;
  const int64_t low = is_signed(to) ? -high - 1 : 0;
  if (value < 0 && !has_sign) return high;
  return std::min(std::max(value, low), high);
}

int64_t convert(const Instruction& i, uint64_t bits) {
  const Type to = i.type, from = i.from;
  if (is_real(from)) {
    double x = whole(i, real_of(from, bits));
    if (i.has("ftz") && from == Type::kF32 &&
        std::fpclassify(static_cast<float>(x)) == FP_SUBNORMAL)
      x = std::copysign(0.0, x);
    if (!is_real(to)) return static_cast<int64_t>(integer_of(to, x));
    if (i.has("sat")) x = std::isnan(x) ? 0 : std::fmin(std::fmax(x, 0), 1);
    if (i.has("relu")) x = std::isnan(x) ? x : std::fmax(x, 0);
    return static_cast<int64_t>(bits_of(to, x));
  }
  const int width = 8 * size_of(from);
  const int64_t value = is_signed(from) ? static_cast<int64_t>(bits << (64 - width)) >> (64 - width)
                        : width == 64   ? static_cast<int64_t>(bits)
                                        : static_cast<int64_t>(bits & ((1ull << width) - 1));
  if (!is_real(to)) return i.has("sat") ? clamped(to, value, is_signed(from)) : value;
  if (to == Type::kF32)
    return static_cast<int64_t>(to_bits(is_signed(from)
                                            ? static_cast<float>(value)
                                            : static_cast<float>(static_cast<uint64_t>(value))));
  const double x = is_signed(from) ? static_cast<double>(value)
                                   : static_cast<double>(static_cast<uint64_t>(value));
  return static_cast<int64_t>(bits_of(to, x));
}

/// Two floats into a pair of halves; the first operand is the upper one.
void convert_pair(Warp& w, const Instruction& i, uint32_t active) {
  const Type half = i.type == Type::kF16x2 ? Type::kF16 : Type::kBF16;
  uint64_t r[kLanes] = {};
  each_lane(active, [&](int l) {
    const double high = from_bits<float>(value_of(w, i.operands[1], l));
    const double low = from_bits<float>(value_of(w, i.operands[2], l));
    r[l] = bits_of(half, high) << 16 | bits_of(half, low);
  });
  put(w, i.operands[0], active, r);
}

void convert_lanes(Warp& w, const Instruction& i, uint32_t active) {
  // In a register that is wider than the type, signed results are extended by their sign.
  const int spare = 64 - 8 * size_of(i.type);
  const bool extends = is_signed(i.type);
  uint64_t r[kLanes] = {};
  each_lane(active, [&](int l) {
    const auto bits = static_cast<uint64_t>(convert(i, value_of(w, i.operands[1], l))) << spare;
    r[l] = extends ? static_cast<uint64_t>(static_cast<int64_t>(bits) >> spare) : bits >> spare;
  });
  put(w, i.operands[0], active, r);
}

template <class To, class From>
void plain(Warp& w, const Instruction& i, uint32_t active) {
  From x[kLanes];
  To r[kLanes];
  fetch(w, i.operands[1], x);
  for (int l = 0; l < kLanes; ++l) r[l] = static_cast<To>(x[l]);
  put(w, i.operands[0], active, r);
}

}  // namespace

Execute conversion(Instruction* i) {
  if (i->op != "cvt") return nullptr;
  if (i->has("rz") || i->has("rm") || i->has("rp") || i->has("rna")) {
    // f64 to f32 in libdevice's slow paths needs only rn and rz; halves only rn.
    return nullptr;
  }
  if (i->type == Type::kF16x2 || i->type == Type::kBF16x2) return convert_pair;
  if (i->modifiers.size() == 2) {
    if (i->type == Type::kS64 && i->from == Type::kS32) return plain<int64_t, int32_t>;
    if (i->type == Type::kU64 && i->from == Type::kU32) return plain<uint64_t, uint32_t>;
    if (i->type == Type::kU32 && i->from == Type::kU64) return plain<uint32_t, uint64_t>;
  }
  return convert_lanes;
}

}  // namespace torchweld::virtual_gpu
