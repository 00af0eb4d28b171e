// atom and red. Lanes take turns in their order; hardware promises none.
#include <algorithm>

#include "kernels/half.h"
#include "tests/virtual_gpu/access.h"
#include "tests/virtual_gpu/decode.h"
#include "tests/virtual_gpu/lanes.h"

namespace torchweld::virtual_gpu {
namespace {

template <class T>
uint64_t real_sum(uint64_t old, uint64_t x) {
  return to_bits(from_bits<T>(old) + from_bits<T>(x));
}

uint64_t half_sum(Type t, uint64_t old, uint64_t x) {
  uint64_t r = 0;
  const bool is_f16 = t == Type::kF16 || t == Type::kF16x2;
  for (int shift = 0; shift < 8 * size_of(t); shift += 16) {
    const auto a = static_cast<uint16_t>(old >> shift), b = static_cast<uint16_t>(x >> shift);
    const float sum = is_f16 ? f32_of_f16(a) + f32_of_f16(b) : f32_of_bf16(a) + f32_of_bf16(b);
    r |= static_cast<uint64_t>(is_f16 ? f16_of_f32(sum) : bf16_of_f32(sum)) << shift;
  }
  return r;
}

uint64_t sum(Type t, uint64_t old, uint64_t x) {
  if (t == Type::kF32) return real_sum<float>(old, x);
  if (t == Type::kF64) return real_sum<double>(old, x);
  return is_real(t) || t == Type::kF16x2 || t == Type::kBF16x2 ? half_sum(t, old, x) : old + x;
}

/// Signed numbers compare by their sign.
bool is_less(Type t, uint64_t a, uint64_t b) {
  if (t == Type::kS32) return static_cast<int32_t>(a) < static_cast<int32_t>(b);
  if (t == Type::kS64) return static_cast<int64_t>(a) < static_cast<int64_t>(b);
  return a < b;
}

enum Operation { kAdd, kExchange, kCompare, kMin, kMax, kAnd, kOr, kXor, kIncrement, kOperations };

uint64_t updated(const Instruction& i, uint64_t old, uint64_t x, uint64_t y) {
  switch (i.code) {
    case kAdd:
      return sum(i.type, old, x);
    case kExchange:
      return x;
    case kCompare:
      return old == x ? y : old;
    case kMin:
      return is_less(i.type, x, old) ? x : old;
    case kMax:
      return is_less(i.type, old, x) ? x : old;
    case kAnd:
      return old & x;
    case kOr:
      return old | x;
    case kXor:
      return old ^ x;
    default:
      return old >= x ? 0 : old + 1;
  }
}

void atomic(Warp& w, const Instruction& i, uint32_t active) {
  const bool returns = i.op == "atom";
  const size_t first = returns ? 1 : 0;
  const int bytes = size_of(i.type);
  const uint64_t mask = bytes == 8 ? ~0ull : (1ull << (8 * bytes)) - 1;
  uint64_t addresses[kLanes];
  each_lane(active, [&](int l) {
    addresses[l] = address_of(w, i.operands[first], l);
    char* at = touch(w, i, i.space, addresses[l], bytes, Touch::kAtomic, l);
    uint64_t old = 0;
    std::memcpy(&old, at, static_cast<size_t>(bytes));
    const uint64_t x = value_of(w, i.operands[first + 1], l) & mask;
    const uint64_t y =
        i.operands.size() > first + 2 ? value_of(w, i.operands[first + 2], l) & mask : 0;
    const uint64_t value = updated(i, old, x, y);
    std::memcpy(at, &value, static_cast<size_t>(bytes));
    if (returns && i.operands[0].reg >= 0) w.reg(i.operands[0].reg)[l] = old;
  });
  count_request(w, i.space, active, addresses, bytes);
}

}  // namespace

Execute atomic_operation(Instruction* i) {
  if (i->op != "atom" && i->op != "red") return nullptr;
  static const char* const kNames[] = {"add", "exch", "cas", "min", "max",
                                       "and", "or",   "xor", "inc"};
  for (int k = 0; k < kOperations; ++k) {
    if (!i->has(kNames[k])) continue;
    i->code = k;
    const bool real = is_real(i->type) || i->type == Type::kF16x2 || i->type == Type::kBF16x2;
    return real && k != kAdd && k != kExchange ? nullptr : atomic;
  }
  return nullptr;
}

}  // namespace torchweld::virtual_gpu
