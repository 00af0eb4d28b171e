// Loads widen to the compute type, stores narrow from it.
#include "kernels/x86/memory.h"

namespace torchweld::x86 {

using aj::Vec;
using asmjit::Imm;

namespace {

constexpr uint32_t kFirstOfPairs = 0x5555;

InstId masked_move(int bytes) {
  return bytes == 1   ? ins::kIdVmovdqu8
         : bytes == 2 ? ins::kIdVmovdqu16
         : bytes == 4 ? ins::kIdVmovups
                      : ins::kIdVmovupd;
}

aj::Gp part(const aj::Gp& reg, int bytes) {
  return bytes == 1   ? aj::Gp(reg.r8())
         : bytes == 2 ? aj::Gp(reg.r16())
         : bytes == 4 ? aj::Gp(reg.r32())
                      : reg;
}

}  // namespace

// Moves elements one by one between memory and a stack buffer, and advances the pointer.
aj::Mem Memory::through_stack(const Place& place, int bytes, bool loading,
                              const aj::Mem& buffer) const {
  const aj::Gp lane = cc_.newInt64(), element = cc_.newInt64();
  const asmjit::Label next = cc_.newLabel();
  aj::Mem slot = buffer;
  slot.setIndex(lane, bytes == 8 ? 3 : bytes == 4 ? 2 : bytes == 2 ? 1 : 0);
  slot.setSize(static_cast<uint32_t>(bytes));
  const aj::Mem outside = aj::ptr(place.pointer, 0, static_cast<uint32_t>(bytes));
  cc_.xor_(lane.r32(), lane.r32());
  cc_.bind(next);
  const aj::Mem& from = loading ? outside : slot;
  if (bytes < 4) {
    cc_.movzx(element.r32(), from);
  } else {
    cc_.mov(part(element, bytes), from);
  }
  cc_.mov(loading ? slot : outside, part(element, bytes));
  cc_.add(place.pointer, place.stride_bytes);
  cc_.inc(lane);
  cc_.cmp(lane, place.lanes);
  cc_.jl(next);
  return buffer;
}

/// Of eight pairs from lane `first` on, the first elements of those that are there.
aj::KReg Memory::first_of_pairs(const Place& place, int first) const {
  if (place.mask == nullptr) return first_of_all_;
  const aj::Gp bits = cc_.newInt32(), lanes = cc_.newInt32();
  cc_.mov(bits, kFirstOfPairs);
  // A copy is in a register: of a spilled mask AsmJit makes a kmovw from memory to a general
  // register, which there is not.
  const aj::KReg there = cc_.newKw();
  cc_.kmovw(there, *place.mask);
  cc_.kmovw(lanes, there);
  if (first > 0) cc_.shr(lanes, first);
  cc_.pdep(bits, lanes, bits);
  const aj::KReg mask = cc_.newKw();
  cc_.kmovw(mask, bits);
  return mask;
}

void Memory::begin_pairs() {
  if (!v_.wide()) return;
  const aj::Gp bits = cc_.newInt32();
  cc_.mov(bits, kFirstOfPairs);
  first_of_all_ = cc_.newKw();
  cc_.kmovw(first_of_all_, bits);
}

Vec Memory::load_pairs(const Place& place) const {
  const Vec to = v_.vec(4);
  aj::Mem from = place.address;
  if (!v_.wide()) {
    const Vec first = cc_.newYmm(), pair = cc_.newYmm();
    cc_.emit(ins::kIdVpcmpeqd, first, first, first);
    cc_.emit(ins::kIdVpsrlq, first, first, Imm(32));
    from.setSize(32);
    cc_.emit(ins::kIdVmaskmovps, pair, first, from);
    Vec second = pair;
    if (v_.count == 8) {
      second = cc_.newYmm();
      from.addOffset(32);
      cc_.emit(ins::kIdVmaskmovps, second, first, from);
    }
    cc_.emit(ins::kIdVshufps, pair, pair, second, Imm(0x88));
    cc_.emit(ins::kIdVpermq, to.ymm(), pair, Imm(0xd8));
    return to;
  }
  from.setSize(64);
  for (int first = 0; first < v_.count; first += 8, from.addOffset(64)) {
    const Vec pairs = cc_.newZmm();
    cc_.k(first_of_pairs(place, first)).z().emit(ins::kIdVmovups, pairs, from);
    if (first == 0) {
      cc_.emit(ins::kIdVpmovqd, to.ymm(), pairs);
    } else {
      const Vec half = cc_.newYmm();
      cc_.emit(ins::kIdVpmovqd, half, pairs);
      cc_.emit(ins::kIdVinserti64x4, to, to, half, Imm(1));
    }
  }
  return to;
}

void Memory::store_pairs(const Place& place, const Vec& value) const {
  aj::Mem to = place.address;
  to.setSize(64);
  for (int first = 0; first < v_.count; first += 8, to.addOffset(64)) {
    Vec half = value.ymm();
    if (first > 0) {
      half = cc_.newYmm();
      cc_.emit(ins::kIdVextracti64x4, half, value, Imm(1));
    }
    const Vec pairs = cc_.newZmm();
    cc_.emit(ins::kIdVpmovzxdq, pairs, half);
    cc_.k(first_of_pairs(place, first)).emit(ins::kIdVmovups, to, pairs);
  }
}

Vec Memory::raw_load(const Place& place, int bytes) const {
  if (place.pairs && !place.lanewise) return load_pairs(place);
  const Vec to = v_.vec(bytes);
  aj::Mem from = place.address;
  if (place.lanewise) {
    const aj::Mem buffer = cc_.newStack(64, 64);
    from = through_stack(place, bytes, true, buffer);
  } else if (place.mask != nullptr) {
    cc_.k(*place.mask).z().emit(masked_move(bytes), to, from);
    return to;
  } else if (place.lane_mask != nullptr) {
    const Vec mask = bytes == 8 ? v_.mask_to_64(*place.lane_mask) : *place.lane_mask;
    cc_.emit(bytes == 8 ? ins::kIdVmaskmovpd : ins::kIdVmaskmovps, to, mask, from);
    return to;
  }
  const int total = bytes * v_.count;
  from.setSize(static_cast<uint32_t>(total));
  cc_.emit(total == 4 ? ins::kIdVmovd : total == 8 ? ins::kIdVmovq : ins::kIdVmovups, to, from);
  return to;
}

void Memory::raw_store(const Place& place, const Vec& value, int bytes) const {
  if (place.pairs && !place.lanewise) return store_pairs(place, value);
  const int total = bytes * v_.count;
  aj::Mem to = place.address;
  if (!place.lanewise && place.mask != nullptr) {
    cc_.k(*place.mask).emit(masked_move(bytes), to, value);
    return;
  }
  if (!place.lanewise && place.lane_mask != nullptr) {
    const Vec mask = bytes == 8 ? v_.mask_to_64(*place.lane_mask) : *place.lane_mask;
    cc_.emit(bytes == 8 ? ins::kIdVmaskmovpd : ins::kIdVmaskmovps, to, mask, value);
    return;
  }
  aj::Mem buffer;
  if (place.lanewise) to = buffer = cc_.newStack(64, 64);
  to.setSize(static_cast<uint32_t>(total));
  const bool stream = place.stream && !place.lanewise && total >= 16;
  cc_.emit(total == 4   ? ins::kIdVmovd
           : total == 8 ? ins::kIdVmovq
           : stream     ? ins::kIdVmovntps
                        : ins::kIdVmovups,
           to, value);
  if (place.lanewise) through_stack(place, bytes, false, buffer);
}

Reg Memory::widen(DType dtype, const Vec& raw) const {
  const Vec to = v_.vec(compute_type(dtype));
  switch (dtype) {
    case DType::kF16:
      cc_.emit(ins::kIdVcvtph2ps, to, raw);
      return to;
    case DType::kBF16:
      cc_.emit(ins::kIdVpmovzxwd, to, raw);
      cc_.emit(ins::kIdVpslld, to, to, Imm(16));
      return to;
    case DType::kI16:
      cc_.emit(ins::kIdVpmovsxwd, to, raw);
      return to;
    case DType::kI8:
      cc_.emit(ins::kIdVpmovsxbd, to, raw);
      return to;
    case DType::kU8:
      cc_.emit(ins::kIdVpmovzxbd, to, raw);
      return to;
    case DType::kBool:
      break;
    default:
      return raw;
  }
  if (v_.wide()) {
    const aj::KReg mask = cc_.newKw();
    cc_.emit(ins::kIdVptestmb, mask, raw, raw);
    return mask;
  }
  const Vec zero = v_.vec(4);
  cc_.emit(ins::kIdVpmovzxbd, to, raw);
  cc_.emit(ins::kIdVpxor, zero, zero, zero);
  cc_.emit(ins::kIdVpcmpgtd, to, to, zero);
  return to;
}

// The low 1 or 2 bytes of each 32-bit lane, packed.
Vec Memory::low_parts(const Vec& value, int bytes) const {
  const Vec to = v_.vec(bytes);
  if (v_.wide()) {
    cc_.emit(bytes == 1 ? ins::kIdVpmovdb : ins::kIdVpmovdw, to, value);
    return to;
  }
  constexpr uint8_t kX = 0x80;
  const aj::Mem order =
      bytes == 1 ? v_.bytes16({0, 4, 8, 12, kX, kX, kX, kX, kX, kX, kX, kX, kX, kX, kX, kX})
                 : v_.bytes16({0, 1, 4, 5, 8, 9, 12, 13, kX, kX, kX, kX, kX, kX, kX, kX});
  const Vec packed = v_.vec(4);
  cc_.emit(ins::kIdVpshufb, packed, value, order);
  if (v_.count == 4) return packed;
  const Vec high = cc_.newXmm();
  cc_.emit(ins::kIdVextracti128, high, packed, Imm(1));
  cc_.emit(bytes == 1 ? ins::kIdVpunpckldq : ins::kIdVpunpcklqdq, to, packed.xmm(), high);
  return to;
}

Vec Memory::narrow(DType dtype, const Reg& value) const {
  const Vec to = v_.vec(static_cast<int>(size_of(dtype)));
  switch (dtype) {
    case DType::kF16:
      cc_.emit(ins::kIdVcvtps2ph, to, value, Imm(0));
      return to;
    case DType::kBF16:
      return low_parts(v_.bf16_bits(value.as<Vec>()), 2);
    case DType::kI16:
      return low_parts(value.as<Vec>(), 2);
    case DType::kI8:
    case DType::kU8:
      return low_parts(value.as<Vec>(), 1);
    case DType::kBool: {
      std::array<uint8_t, 16> ones;
      ones.fill(1);
      if (v_.wide()) {
        cc_.k(value.as<aj::KReg>()).z().emit(ins::kIdVmovdqu8, to, v_.bytes16(ones));
        return to;
      }
      const Vec bits = v_.op(ins::kIdVpand, value.as<Vec>(), v_.bits32(1), 4);
      return low_parts(bits, 1);
    }
    default:
      return value.as<Vec>();
  }
}

Reg Memory::load(const Place& place) const {
  return widen(place.dtype, raw_load(place, static_cast<int>(size_of(place.dtype))));
}

void Memory::store(const Place& place, const Reg& value) const {
  raw_store(place, narrow(place.dtype, value), static_cast<int>(size_of(place.dtype)));
}

// There are no gathers of 1 and 2 bytes.
Vec Memory::gather_lane_by_lane(int bytes, const aj::Gp& base, const Vec& index,
                                const Reg* mask) const {
  const aj::Mem places = cc_.newStack(64, 64), there = cc_.newStack(64, 64),
                buffer = cc_.newStack(64, 64);
  const Vec zero = v_.vec(4), to = v_.vec(bytes);
  cc_.emit(ins::kIdVmovups, places, index);
  cc_.emit(ins::kIdVxorps, zero, zero, zero);
  cc_.emit(ins::kIdVmovups, buffer, zero);
  if (mask != nullptr) {
    Vec lanes = v_.vec(4);
    if (v_.wide()) {
      cc_.emit(ins::kIdVpmovm2d, lanes, *mask);
    } else {
      lanes = mask->as<Vec>();
    }
    cc_.emit(ins::kIdVmovups, there, lanes);
  }
  const auto at = [](aj::Mem slot, const aj::Gp& lane, int size) {
    slot.setIndex(lane, size == 4 ? 2 : size == 2 ? 1 : 0);
    slot.setSize(static_cast<uint32_t>(size));
    return slot;
  };
  const aj::Gp lane = cc_.newInt64(), element = cc_.newInt64();
  const asmjit::Label next = cc_.newLabel(), skip = cc_.newLabel();
  cc_.xor_(lane.r32(), lane.r32());
  cc_.bind(next);
  if (mask != nullptr) {
    cc_.cmp(at(there, lane, 4), 0);
    cc_.je(skip);
  }
  cc_.movsxd(element, at(places, lane, 4));
  cc_.movzx(element.r32(),
            aj::ptr(base, element, bytes == 2 ? 1 : 0, 0, static_cast<uint32_t>(bytes)));
  cc_.mov(at(buffer, lane, bytes), part(element, bytes));
  cc_.bind(skip);
  cc_.inc(lane);
  cc_.cmp(lane, v_.count);
  cc_.jl(next);
  const int total = bytes * v_.count;
  aj::Mem from = buffer;
  from.setSize(static_cast<uint32_t>(total));
  cc_.emit(total == 4 ? ins::kIdVmovd : total == 8 ? ins::kIdVmovq : ins::kIdVmovups, to, from);
  return to;
}

Reg Memory::gather(DType dtype, const aj::Gp& base, const Vec& index, const Reg* mask) const {
  const int bytes = static_cast<int>(size_of(dtype));
  if (bytes < 4) return widen(dtype, gather_lane_by_lane(bytes, base, index, mask));
  const Vec to = v_.vec(bytes);
  const aj::Mem from = aj::ptr(base, index, bytes == 8 ? 3 : 2);
  const InstId id = bytes == 8 ? ins::kIdVgatherdpd : ins::kIdVgatherdps;
  cc_.emit(ins::kIdVxorps, to, to, to);
  // The instruction clears the mask that it is given.
  if (v_.wide()) {
    const aj::KReg lanes = cc_.newKw();
    if (mask != nullptr) {
      cc_.kmovw(lanes, mask->as<aj::KReg>());
    } else {
      cc_.kxnorw(lanes, lanes, lanes);
    }
    cc_.k(lanes).emit(id, to, from);
    return widen(dtype, to);
  }
  const Vec lanes = v_.vec(bytes);
  if (mask == nullptr) {
    cc_.emit(ins::kIdVpcmpeqd, lanes, lanes, lanes);
  } else {
    cc_.emit(ins::kIdVmovups, lanes, bytes == 8 ? v_.mask_to_64(mask->as<Vec>()) : mask->as<Vec>());
  }
  cc_.emit(id, to, from, lanes);
  return widen(dtype, to);
}

Reg Memory::broadcast(DType dtype, const aj::Mem& address) const {
  const int bytes = static_cast<int>(size_of(dtype));
  const Vec raw = v_.vec(bytes);
  aj::Mem from = address;
  from.setSize(static_cast<uint32_t>(bytes));
  cc_.emit(bytes == 1   ? ins::kIdVpbroadcastb
           : bytes == 2 ? ins::kIdVpbroadcastw
           : bytes == 4 ? ins::kIdVpbroadcastd
                        : ins::kIdVpbroadcastq,
           raw, from);
  return widen(dtype, raw);
}

}  // namespace torchweld::x86
