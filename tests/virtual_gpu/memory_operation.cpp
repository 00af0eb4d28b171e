// ld, st, mov, cvta, and the copies around calls.
#include "tests/virtual_gpu/access.h"
#include "tests/virtual_gpu/decode.h"
#include "tests/virtual_gpu/lanes.h"

namespace torchweld::virtual_gpu {
namespace {

const Operand& element(const Operand& o, int k) {
  return o.kind == Operand::Kind::kVector ? o.elements[static_cast<size_t>(k)] : o;
}

/// A loaded integer fills its register; signed ones by their sign.
uint64_t extended(Type t, uint64_t bits) {
  if (!is_signed(t)) return bits;
  const int shift = 64 - 8 * size_of(t);
  return static_cast<uint64_t>(static_cast<int64_t>(bits << shift) >> shift);
}

void load(Warp& w, const Instruction& i, uint32_t active) {
  const int each = size_of(i.type), all = each * i.vector;
  uint64_t addresses[kLanes];
  each_lane(active, [&](int l) {
    addresses[l] = address_of(w, i.operands[1], l);
    const char* from = touch(w, i, i.space, addresses[l], all, Touch::kRead, l);
    for (int k = 0; k < i.vector; ++k) {
      uint64_t bits = 0;
      std::memcpy(&bits, from + k * each, static_cast<size_t>(each));
      const Operand& to = element(i.operands[0], k);
      if (to.reg >= 0) w.reg(to.reg)[l] = extended(i.type, bits);
    }
  });
  count_request(w, i.space, active, addresses, all);
}

void store(Warp& w, const Instruction& i, uint32_t active) {
  const int each = size_of(i.type), all = each * i.vector;
  const Touch how = i.has("volatile") || i.has("relaxed") ? Touch::kStrongWrite : Touch::kWrite;
  uint64_t addresses[kLanes];
  each_lane(active, [&](int l) {
    addresses[l] = address_of(w, i.operands[0], l);
    char* to = touch(w, i, i.space, addresses[l], all, how, l);
    for (int k = 0; k < i.vector; ++k) {
      const uint64_t bits = value_of(w, element(i.operands[1], k), l);
      std::memcpy(to + k * each, &bits, static_cast<size_t>(each));
    }
  });
  count_request(w, i.space, active, addresses, all);
}

void move(Warp& w, const Instruction& i, uint32_t active) {
  uint64_t x[kLanes];
  fetch(w, i.operands[1], x);
  put(w, i.operands[0], active, x);
}

/// A register into its parts, the lowest first.
void unpack(Warp& w, const Instruction& i, uint32_t active) {
  const auto& parts = i.operands[0].elements;
  const int bits = 8 * size_of(i.type) / static_cast<int>(parts.size());
  const uint64_t mask = bits == 64 ? ~0ull : (1ull << bits) - 1;
  each_lane(active, [&](int l) {
    const uint64_t value = value_of(w, i.operands[1], l);
    for (size_t k = 0; k < parts.size(); ++k) {
      if (parts[k].reg >= 0) w.reg(parts[k].reg)[l] = value >> (bits * static_cast<int>(k)) & mask;
    }
  });
}

void pack(Warp& w, const Instruction& i, uint32_t active) {
  const auto& parts = i.operands[1].elements;
  const int bits = 8 * size_of(i.type) / static_cast<int>(parts.size());
  const uint64_t mask = bits == 64 ? ~0ull : (1ull << bits) - 1;
  uint64_t r[kLanes] = {};
  each_lane(active, [&](int l) {
    for (size_t k = 0; k < parts.size(); ++k)
      r[l] |= (value_of(w, parts[k], l) & mask) << (bits * static_cast<int>(k));
  });
  put(w, i.operands[0], active, r);
}

/// Between a space's own addresses and generic ones, which are the host's.
void convert_address(Warp& w, const Instruction& i, uint32_t active) {
  uint64_t r[kLanes] = {};
  each_lane(active, [&](int l) {
    uint64_t base = 0;
    if (i.space == Space::kShared) base = reinterpret_cast<uint64_t>(w.block->shared.data());
    if (i.space == Space::kLocal)
      base = reinterpret_cast<uint64_t>(w.local.data()) +
             static_cast<uint64_t>(l * w.block->kernel->local_bytes);
    const uint64_t value = value_of(w, i.operands[1], l);
    r[l] = i.has("to") ? value - base : value + base;
  });
  put(w, i.operands[0], active, r);
}

void copy_slot(Warp& w, const Instruction& i, uint32_t active) {
  each_lane(active, [&](int l) {
    char* base = w.local.data() + l * w.block->kernel->local_bytes;
    std::memcpy(base + i.operands[0].immediate, base + i.operands[1].immediate,
                static_cast<size_t>(i.code));
  });
}

void nothing(Warp&, const Instruction&, uint32_t) {}

}  // namespace

Execute memory_operation(Instruction* i) {
  if (i->op == "ld" || i->op == "ldu") return load;
  if (i->op == "st") return store;
  if (i->op == "copy_slot") return copy_slot;
  if (i->op == "cvta") return convert_address;
  if (i->op == "prefetch" || i->op == "discard" || i->op == "applypriority") return nothing;
  if (i->op == "membar" || i->op == "fence") return nothing;
  if (i->op != "mov") return nullptr;
  if (i->operands[0].kind == Operand::Kind::kVector) return unpack;
  return i->operands[1].kind == Operand::Kind::kVector ? pack : move;
}

}  // namespace torchweld::virtual_gpu
