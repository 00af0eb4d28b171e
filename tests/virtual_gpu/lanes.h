// Operands of 32 lanes at once, so that the host's compiler makes vector code of simple
// instructions.
#pragma once

#include <bit>
#include <cstring>

#include "tests/virtual_gpu/warp.h"

namespace torchweld::virtual_gpu {

/// The low bytes of a register as a T, or a T as a register.
template <class T>
T from_bits(uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}
template <class T>
uint64_t to_bits(T value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return bits;
}

inline uint64_t value_of(Warp& w, const Operand& o, int lane) {
  uint64_t value = o.immediate;
  if (o.kind == Operand::Kind::kRegister) value = o.reg < 0 ? 0 : w.reg(o.reg)[lane];
  if (o.kind == Operand::Kind::kSpecial)
    value = w.specials[static_cast<size_t>(o.special)][static_cast<size_t>(lane)];
  return o.negated ? value == 0 : value;
}

template <class T>
void fetch(Warp& w, const Operand& o, T* values) {
  if (o.kind == Operand::Kind::kRegister && o.reg >= 0 && !o.negated) {
    const uint64_t* r = w.reg(o.reg);
    for (int l = 0; l < kLanes; ++l) values[l] = from_bits<T>(r[l]);
  } else {
    for (int l = 0; l < kLanes; ++l) values[l] = from_bits<T>(value_of(w, o, l));
  }
}

template <class T>
void put(Warp& w, const Operand& o, uint32_t active, const T* values) {
  if (o.reg < 0) return;
  uint64_t* r = w.reg(o.reg);
  for (int l = 0; l < kLanes; ++l) {
    if (active == ~0u || (active >> l & 1) != 0) r[l] = to_bits<T>(values[l]);
  }
}

template <class F>
void each_lane(uint32_t active, F&& f) {
  for (; active != 0; active &= active - 1) f(std::countr_zero(active));
}

/// Executes F, a function without state, on registers of type T. Lanes that aren't active compute
/// too, so F has to take anything.
template <class T, class F>
Execute unary(F) {
  return [](Warp& w, const Instruction& i, uint32_t active) {
    T x[kLanes], r[kLanes];
    fetch(w, i.operands[1], x);
    for (int l = 0; l < kLanes; ++l) r[l] = F{}(x[l]);
    put(w, i.operands[0], active, r);
  };
}
template <class T, class F>
Execute binary(F) {
  return [](Warp& w, const Instruction& i, uint32_t active) {
    T x[kLanes], y[kLanes], r[kLanes];
    fetch(w, i.operands[1], x);
    fetch(w, i.operands[2], y);
    for (int l = 0; l < kLanes; ++l) r[l] = F{}(x[l], y[l]);
    put(w, i.operands[0], active, r);
  };
}
template <class T, class F>
Execute ternary(F) {
  return [](Warp& w, const Instruction& i, uint32_t active) {
    T x[kLanes], y[kLanes], z[kLanes], r[kLanes];
    fetch(w, i.operands[1], x);
    fetch(w, i.operands[2], y);
    fetch(w, i.operands[3], z);
    for (int l = 0; l < kLanes; ++l) r[l] = F{}(x[l], y[l], z[l]);
    put(w, i.operands[0], active, r);
  };
}

/// The same function over the integer type that an instruction names.
template <class F>
Execute integer_binary(Type t, F f) {
  switch (t) {
    case Type::kU16:
    case Type::kB16:
      return binary<uint16_t>(f);
    case Type::kS16:
      return binary<int16_t>(f);
    case Type::kU32:
    case Type::kB32:
      return binary<uint32_t>(f);
    case Type::kS32:
      return binary<int32_t>(f);
    case Type::kS64:
      return binary<int64_t>(f);
    default:
      return binary<uint64_t>(f);
  }
}

}  // namespace torchweld::virtual_gpu
