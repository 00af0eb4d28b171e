// Registers, constants and the primitives that are a few instructions.
#include "kernels/x86/lanes.h"

#include <bit>
#include <cstring>

namespace torchweld::x86 {

using asmjit::Operand;

Lanes::Lanes(aj::Compiler& compiler, Isa set, int lanes) : cc(compiler), isa(set), count(lanes) {}

aj::Vec Lanes::vec(int bytes) const {
  const int total = bytes * count;
  if (total > 32) return cc.newZmm();
  return total > 16 ? aj::Vec(cc.newYmm()) : aj::Vec(cc.newXmm());
}

Reg Lanes::fresh(DType type) const {
  if (type == DType::kBool && wide()) return cc.newKw();
  return vec(type);
}

Reg Lanes::copy(DType type, const Reg& from) const {
  const Reg to = fresh(type);
  if (type == DType::kBool && wide()) {
    cc.kmovw(to.as<aj::KReg>(), from.as<aj::KReg>());
  } else {
    cc.vmovaps(to.as<aj::Vec>(), from.as<aj::Vec>());
  }
  return to;
}

// AVX-512 repeats an element while loading it; AVX2 needs the whole vector in memory.
aj::Mem Lanes::repeated(const void* element, int bytes) const {
  const int total = bytes * count;
  if (wide()) {
    aj::Mem mem = cc.newConst(asmjit::ConstPoolScope::kLocal, element, static_cast<size_t>(bytes));
    const int times = std::max(total, 16) / bytes;
    mem.setBroadcast(times == 16  ? aj::Mem::Broadcast::k1To16
                     : times == 8 ? aj::Mem::Broadcast::k1To8
                     : times == 4 ? aj::Mem::Broadcast::k1To4
                                  : aj::Mem::Broadcast::k1To2);
    return mem;
  }
  char vector[32];
  const int filled = std::max(total, 16);
  for (int i = 0; i < filled; i += bytes)
    std::memcpy(vector + i, element, static_cast<size_t>(bytes));
  return cc.newConst(asmjit::ConstPoolScope::kLocal, vector, static_cast<size_t>(filled));
}

aj::Mem Lanes::bits32(uint32_t bits) const { return repeated(&bits, 4); }
aj::Mem Lanes::bits64(uint64_t bits) const { return repeated(&bits, 8); }
aj::Mem Lanes::f32(float value) const { return bits32(std::bit_cast<uint32_t>(value)); }

aj::Mem Lanes::number(DType type, double value) const {
  if (type == DType::kF64) return bits64(std::bit_cast<uint64_t>(value));
  return f32(static_cast<float>(value));
}

aj::Mem Lanes::bytes16(const std::array<uint8_t, 16>& bytes) const {
  std::array<uint8_t, 64> all;
  for (size_t i = 0; i < all.size(); ++i) all[i] = bytes[i % 16];
  const size_t size = static_cast<size_t>(std::max(16, std::min(wide() ? 64 : 32, 4 * count)));
  return cc.newConst(asmjit::ConstPoolScope::kLocal, all.data(), size);
}

aj::Mem Lanes::constant_operand(const torchweld::Inst& inst) const {
  if (is_floating(inst.type)) return number(inst.type, inst.imm);
  if (size_of(inst.type) == 8) return bits64(static_cast<uint64_t>(inst.imm_int));
  return bits32(static_cast<uint32_t>(inst.imm_int));
}

aj::Vec Lanes::splat(const aj::Mem& element, int bytes) const {
  const aj::Vec to = vec(bytes);
  if (!wide()) {
    cc.vmovups(to, element);
    return to;
  }
  aj::Mem plain = element;
  plain.resetBroadcast();
  // vbroadcastsd has no 16-byte form.
  if (bytes == 8) {
    cc.emit(ins::kIdVpbroadcastq, to, plain);
  } else {
    cc.emit(ins::kIdVpbroadcastd, to, plain);
  }
  return to;
}

aj::Vec Lanes::splat(const aj::Gp& from) const {
  const aj::Vec to = vec(4);
  cc.emit(ins::kIdVmovd, to.xmm(), from.r32());
  cc.emit(ins::kIdVpbroadcastd, to, to.xmm());
  return to;
}

aj::Vec Lanes::counted(const aj::Gp& from, int more) const {
  static constexpr uint32_t kIota[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const aj::Gp first = cc.newInt64();
  cc.lea(first, aj::ptr(from, more));
  const aj::Mem iota = cc.newConst(asmjit::ConstPoolScope::kLocal, kIota,
                                   static_cast<size_t>(std::max(16, 4 * count)));
  return op(ins::kIdVpaddd, splat(first), iota, 4);
}

Reg Lanes::constant(const torchweld::Inst& inst) const {
  if (inst.type == DType::kBool) {
    const Reg to = fresh(DType::kBool);
    if (wide()) {
      cc.emit(inst.imm_int != 0 ? ins::kIdKxnorw : ins::kIdKxorw, to, to, to);
    } else {
      cc.emit(inst.imm_int != 0 ? ins::kIdVpcmpeqd : ins::kIdVpxor, to, to, to);
    }
    return to;
  }
  const bool zero =
      is_floating(inst.type) ? std::bit_cast<uint64_t>(inst.imm) == 0 : inst.imm_int == 0;
  if (zero) {
    const aj::Vec to = vec(inst.type);
    cc.vxorps(to, to, to);
    return to;
  }
  return splat(constant_operand(inst), static_cast<int>(size_of(inst.type)));
}

aj::Vec Lanes::op(InstId id, const aj::Vec& a, const Operand& b, int bytes) const {
  const aj::Vec to = vec(bytes);
  cc.emit(id, to, a, b);
  return to;
}

namespace {

struct Ids {
  Prim prim;
  InstId f32, f64, i32, i64, i64_avx2;
};

constexpr InstId kNone = ins::kIdNone;
constexpr Ids kIds[] = {
    {Prim::kAdd, ins::kIdVaddps, ins::kIdVaddpd, ins::kIdVpaddd, ins::kIdVpaddq, ins::kIdVpaddq},
    {Prim::kSub, ins::kIdVsubps, ins::kIdVsubpd, ins::kIdVpsubd, ins::kIdVpsubq, ins::kIdVpsubq},
    {Prim::kMul, ins::kIdVmulps, ins::kIdVmulpd, ins::kIdVpmulld, ins::kIdVpmullq, kNone},
    {Prim::kDiv, ins::kIdVdivps, ins::kIdVdivpd, kNone, kNone, kNone},
    {Prim::kMin, ins::kIdVminps, ins::kIdVminpd, ins::kIdVpminsd, ins::kIdVpminsq, kNone},
    {Prim::kMax, ins::kIdVmaxps, ins::kIdVmaxpd, ins::kIdVpmaxsd, ins::kIdVpmaxsq, kNone},
    {Prim::kSqrt, ins::kIdVsqrtps, ins::kIdVsqrtpd, kNone, kNone, kNone},
    {Prim::kAbs, ins::kIdVandps, ins::kIdVandpd, ins::kIdVpabsd, ins::kIdVpabsq, kNone},
    {Prim::kShl, kNone, kNone, ins::kIdVpsllvd, ins::kIdVpsllvq, ins::kIdVpsllvq},
    {Prim::kShr, kNone, kNone, ins::kIdVpsravd, ins::kIdVpsravq, kNone},
};

// Bitwise instructions have their element size in AVX-512's names only.
InstId bitwise(Prim prim, bool wide, bool is64) {
  switch (prim) {
    case Prim::kAnd:
      return !wide ? ins::kIdVpand : is64 ? ins::kIdVpandq : ins::kIdVpandd;
    case Prim::kOr:
      return !wide ? ins::kIdVpor : is64 ? ins::kIdVporq : ins::kIdVpord;
    case Prim::kXor:
      return !wide ? ins::kIdVpxor : is64 ? ins::kIdVpxorq : ins::kIdVpxord;
    default:
      return kNone;
  }
}

}  // namespace

InstId Lanes::instruction(Prim prim, DType type) const {
  if (is_integral(type)) {
    if (const InstId id = bitwise(prim, wide(), type == DType::kI64); id != kNone) return id;
  }
  for (const Ids& ids : kIds) {
    if (ids.prim != prim) continue;
    if (type == DType::kF32) return ids.f32;
    if (type == DType::kF64) return ids.f64;
    if (type == DType::kI32) return ids.i32;
    if (type == DType::kI64) return wide() ? ids.i64 : ids.i64_avx2;
  }
  return kNone;
}

Reg Lanes::mask_of_64(const aj::Vec& mask) const {
  const aj::Vec high = cc.newXmm(), to = cc.newXmm();
  cc.vextracti128(high.as<aj::Xmm>(), mask.as<aj::Ymm>(), 1);
  cc.vshufps(to, mask.xmm(), high, 0x88);
  return to;
}

aj::Vec Lanes::mask_to_64(const aj::Vec& mask) const {
  const aj::Vec to = cc.newYmm();
  cc.vpmovsxdq(to, mask);
  return to;
}

namespace {

// Ordered and quiet, but for kNe, which is true on NaN.
int float_predicate(Prim prim) {
  return prim == Prim::kEq ? 0 : prim == Prim::kNe ? 4 : prim == Prim::kLt ? 17 : 18;
}
int int_predicate(Prim prim) {
  return prim == Prim::kEq ? 0 : prim == Prim::kNe ? 4 : prim == Prim::kLt ? 1 : 2;
}

}  // namespace

Reg Lanes::compare(Prim prim, DType type, const Reg& a, const Operand& b) const {
  const bool is64 = size_of(type) == 8;
  if (wide()) {
    const aj::KReg to = cc.newKw();
    if (is_floating(type)) {
      cc.emit(is64 ? ins::kIdVcmppd : ins::kIdVcmpps, to, a, b, asmjit::Imm(float_predicate(prim)));
    } else {
      cc.emit(is64 ? ins::kIdVpcmpq : ins::kIdVpcmpd, to, a, b, asmjit::Imm(int_predicate(prim)));
    }
    return to;
  }
  const aj::Vec to = vec(type);
  if (is_floating(type)) {
    cc.emit(is64 ? ins::kIdVcmppd : ins::kIdVcmpps, to, a, b, asmjit::Imm(float_predicate(prim)));
  } else if (prim == Prim::kEq || prim == Prim::kNe) {
    cc.emit(is64 ? ins::kIdVpcmpeqq : ins::kIdVpcmpeqd, to, a, b);
  } else {
    // There is only "greater": a < b is b > a, and a <= b is not (a > b).
    const InstId greater = is64 ? ins::kIdVpcmpgtq : ins::kIdVpcmpgtd;
    aj::Vec right = vec(type);
    cc.emit(ins::kIdVmovdqu, right, b);
    if (prim == Prim::kLt) {
      cc.emit(greater, to, right, a);
    } else {
      cc.emit(greater, to, a, right);
    }
  }
  if (!is_floating(type) && (prim == Prim::kNe || prim == Prim::kLe)) {
    const aj::Vec ones = vec(type);
    cc.vpcmpeqd(ones, ones, ones);
    cc.vpxor(to, to, ones);
  }
  return is64 ? mask_of_64(to) : Reg(to);
}

aj::Vec Lanes::select(DType type, const Reg& mask, const aj::Vec& yes, const aj::Vec& no) const {
  const aj::Vec to = vec(type);
  const bool is64 = size_of(type) == 8;
  if (wide()) {
    cc.k(mask.as<aj::KReg>()).emit(is64 ? ins::kIdVblendmpd : ins::kIdVblendmps, to, no, yes);
  } else if (is64) {
    cc.vblendvpd(to, no, yes, mask_to_64(mask.as<aj::Vec>()));
  } else {
    cc.vblendvps(to, no, yes, mask.as<aj::Vec>());
  }
  return to;
}

Reg Lanes::logic(Prim prim, const Reg& a, const Reg& b) const {
  const Reg to = fresh(DType::kBool);
  if (prim == Prim::kNot) {
    if (wide()) {
      cc.knotw(to.as<aj::KReg>(), a.as<aj::KReg>());
    } else {
      cc.emit(ins::kIdVpcmpeqd, to, to, to);
      cc.emit(ins::kIdVpxor, to, to, a);
    }
    return to;
  }
  const InstId narrow = prim == Prim::kAnd  ? ins::kIdVpand
                        : prim == Prim::kOr ? ins::kIdVpor
                                            : ins::kIdVpxor;
  const InstId k = prim == Prim::kAnd  ? ins::kIdKandw
                   : prim == Prim::kOr ? ins::kIdKorw
                                       : ins::kIdKxorw;
  cc.emit(wide() ? k : narrow, to, a, b);
  return to;
}

Reg Lanes::select_bool(const Reg& mask, const Reg& yes, const Reg& no) const {
  const Reg taken = logic(Prim::kAnd, mask, yes);
  const Reg left = logic(Prim::kAnd, logic(Prim::kNot, mask, mask), no);
  return logic(Prim::kOr, taken, left);
}

// The instruction gives its second source when either is NaN, so a NaN in `a` has to be put back.
aj::Vec Lanes::min_max(Prim prim, DType type, const aj::Vec& a, const aj::Vec& b) const {
  const int bytes = static_cast<int>(size_of(type));
  const aj::Vec to = op(instruction(prim, type), a, b, bytes);
  if (!is_floating(type)) return to;
  if (wide()) {
    const aj::KReg nan = cc.newKw();
    cc.emit(bytes == 8 ? ins::kIdVcmppd : ins::kIdVcmpps, nan, a, a, asmjit::Imm(3));
    cc.k(nan).emit(bytes == 8 ? ins::kIdVmovapd : ins::kIdVmovaps, to, a);
    return to;
  }
  const aj::Vec nan = vec(bytes);
  cc.emit(bytes == 8 ? ins::kIdVcmppd : ins::kIdVcmpps, nan, a, a, asmjit::Imm(3));
  cc.emit(bytes == 8 ? ins::kIdVblendvpd : ins::kIdVblendvps, to, to, a, nan);
  return to;
}

aj::Vec Lanes::round_whole(DType type, const aj::Vec& a, int mode) const {
  const aj::Vec to = vec(type);
  const bool is64 = type == DType::kF64;
  const InstId wide_id = is64 ? ins::kIdVrndscalepd : ins::kIdVrndscaleps;
  const InstId narrow_id = is64 ? ins::kIdVroundpd : ins::kIdVroundps;
  cc.emit(wide() ? wide_id : narrow_id, to, a, asmjit::Imm(mode | 8));
  return to;
}

aj::Vec Lanes::copysign(DType type, const aj::Vec& magnitude, const aj::Vec& sign) const {
  const bool is64 = type == DType::kF64;
  const InstId both = is64 ? ins::kIdVandpd : ins::kIdVandps;
  const int bytes = is64 ? 8 : 4;
  const aj::Mem sign_bit = is64 ? bits64(uint64_t{1} << 63) : bits32(0x80000000u);
  if (wide()) {
    const aj::Vec to = copy(type, magnitude).as<aj::Vec>();
    cc.emit(is64 ? ins::kIdVpternlogq : ins::kIdVpternlogd, to, sign, sign_bit, asmjit::Imm(0xd8));
    return to;
  }
  const aj::Mem others = is64 ? bits64(~(uint64_t{1} << 63)) : bits32(0x7fffffffu);
  const aj::Vec m = op(both, magnitude, others, bytes);
  const aj::Vec s = op(both, sign, sign_bit, bytes);
  return op(is64 ? ins::kIdVorpd : ins::kIdVorps, m, s, bytes);
}

}  // namespace torchweld::x86
