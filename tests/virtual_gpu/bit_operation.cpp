// Shifts, fields, counts, permutations of bytes, arbitrary functions of three words.
#include <algorithm>
#include <bit>

#include "tests/virtual_gpu/decode.h"
#include "tests/virtual_gpu/lanes.h"

namespace torchweld::virtual_gpu {
namespace {

uint64_t mask_of(int bits) { return bits >= 64 ? ~0ull : (1ull << bits) - 1; }

/// An instruction whose result of a lane is F(instruction, a, b, c, d), of the operands' bits.
template <class F>
Execute by_bits(F) {
  return [](Warp& w, const Instruction& i, uint32_t active) {
    uint64_t r[kLanes] = {};
    each_lane(active, [&](int l) {
      uint64_t in[4] = {};
      for (size_t a = 1; a < i.operands.size(); ++a) in[a - 1] = value_of(w, i.operands[a], l);
      r[l] = F{}(i, in[0], in[1], in[2], in[3]) & mask_of(8 * std::max(size_of(i.type), 1));
    });
    put(w, i.operands[0], active, r);
  };
}

/// As by_bits, for instructions whose result is a 32-bit count whatever they count in.
template <class F>
Execute counting(F) {
  return [](Warp& w, const Instruction& i, uint32_t active) {
    uint64_t r[kLanes] = {};
    each_lane(active,
              [&](int l) { r[l] = static_cast<uint32_t>(F{}(i, value_of(w, i.operands[1], l))); });
    put(w, i.operands[0], active, r);
  };
}

struct ShiftLeft {
  uint64_t operator()(const Instruction& i, uint64_t x, uint64_t by, uint64_t, uint64_t) const {
    by = static_cast<uint32_t>(by);
    return by >= static_cast<uint64_t>(8 * size_of(i.type)) ? 0 : x << by;
  }
};
struct ShiftRight {
  uint64_t operator()(const Instruction& i, uint64_t x, uint64_t by, uint64_t, uint64_t) const {
    const int width = 8 * size_of(i.type);
    const auto limited = static_cast<int>(std::min<uint64_t>(static_cast<uint32_t>(by), width));
    if (is_signed(i.type)) {
      const int64_t value = static_cast<int64_t>(x << (64 - width)) >> (64 - width);
      return static_cast<uint64_t>(value >> std::min(limited, width - 1));
    }
    return limited >= width ? 0 : (x & mask_of(width)) >> limited;
  }
};
struct Funnel {
  uint64_t operator()(const Instruction& i, uint64_t low, uint64_t high, uint64_t by,
                      uint64_t) const {
    const auto shift = static_cast<int>(i.has("clamp") ? std::min<uint64_t>(by, 32) : by & 31);
    const uint64_t both = high << 32 | (low & 0xffffffffu);
    return i.has("l") ? (both << shift) >> 32 : both >> shift;
  }
};
struct Not {
  uint64_t operator()(const Instruction& i, uint64_t x, uint64_t, uint64_t, uint64_t) const {
    return i.type == Type::kPred ? x == 0 : ~x;
  }
};
struct Extract {
  uint64_t operator()(const Instruction& i, uint64_t x, uint64_t at, uint64_t n, uint64_t) const {
    const int width = 8 * size_of(i.type);
    at &= 255;
    n &= 255;
    if (n == 0) return 0;
    const auto last =
        static_cast<int>(std::min<uint64_t>(at + n - 1, static_cast<uint64_t>(width - 1)));
    uint64_t field =
        at >= static_cast<uint64_t>(width) ? 0 : (x >> at) & mask_of(static_cast<int>(n));
    const bool negative = is_signed(i.type) && (x >> last & 1) != 0;
    return negative ? field | ~mask_of(static_cast<int>(
                                  std::min<uint64_t>(n, static_cast<uint64_t>(width) - at)))
                    : field;
  }
};
struct Insert {
  uint64_t operator()(const Instruction&, uint64_t x, uint64_t into, uint64_t at,
                      uint64_t n) const {
    at &= 255;
    n &= 255;
    if (at >= 64) return into;
    const uint64_t mask = mask_of(static_cast<int>(n)) << at;
    return (into & ~mask) | (x << at & mask);
  }
};
struct Reverse {
  uint64_t operator()(const Instruction& i, uint64_t x, uint64_t, uint64_t, uint64_t) const {
    const int width = 8 * size_of(i.type);
    uint64_t r = 0;
    for (int b = 0; b < width; ++b) r |= (x >> b & 1) << (width - 1 - b);
    return r;
  }
};
/// lop3: bit by bit, the entry of an eight-row truth table.
struct Logic3 {
  uint64_t operator()(const Instruction&, uint64_t a, uint64_t b, uint64_t c,
                      uint64_t table) const {
    uint64_t r = 0;
    for (int row = 0; row < 8; ++row) {
      if ((table >> row & 1) == 0) continue;
      r |= (row & 4 ? a : ~a) & (row & 2 ? b : ~b) & (row & 1 ? c : ~c);
    }
    return r;
  }
};
/// prmt without a mode: each nibble of the selector names a byte of b:a, or its sign.
struct Permute {
  uint64_t operator()(const Instruction&, uint64_t a, uint64_t b, uint64_t selector,
                      uint64_t) const {
    const uint64_t both = (b & 0xffffffffu) << 32 | (a & 0xffffffffu);
    uint64_t r = 0;
    for (int k = 0; k < 4; ++k) {
      const uint64_t nibble = selector >> (4 * k) & 15;
      uint64_t byte = both >> (8 * (nibble & 7)) & 255;
      if (nibble & 8) byte = byte & 128 ? 255 : 0;
      r |= byte << (8 * k);
    }
    return r;
  }
};
struct LeadingZeros {
  uint64_t operator()(const Instruction& i, uint64_t x) const {
    return static_cast<uint64_t>(size_of(i.type) == 4 ? std::countl_zero(static_cast<uint32_t>(x))
                                                      : std::countl_zero(x));
  }
};
struct Population {
  uint64_t operator()(const Instruction& i, uint64_t x) const {
    return static_cast<uint64_t>(std::popcount(x & mask_of(8 * size_of(i.type))));
  }
};
struct FindBit {
  uint64_t operator()(const Instruction& i, uint64_t x) const {
    const int width = 8 * size_of(i.type);
    x &= mask_of(width);
    if (is_signed(i.type) && (x >> (width - 1) & 1) != 0) x = ~x & mask_of(width);
    if (x == 0) return 0xffffffffu;
    const int at = 63 - std::countl_zero(x);
    return static_cast<uint64_t>(i.has("shiftamt") ? width - 1 - at : at);
  }
};

}  // namespace

Execute bit_operation(Instruction* i) {
  const std::string& op = i->op;
  if (op == "shl") return by_bits(ShiftLeft{});
  if (op == "shr") return by_bits(ShiftRight{});
  if (op == "shf") return by_bits(Funnel{});
  if (op == "not") return by_bits(Not{});
  if (op == "bfe") return by_bits(Extract{});
  if (op == "bfi") return by_bits(Insert{});
  if (op == "brev") return by_bits(Reverse{});
  if (op == "lop3") return by_bits(Logic3{});
  if (op == "prmt" && i->modifiers.size() == 1) return by_bits(Permute{});
  if (op == "clz") return counting(LeadingZeros{});
  if (op == "popc") return counting(Population{});
  if (op == "bfind") return counting(FindBit{});
  return nullptr;
}

}  // namespace torchweld::virtual_gpu
