// Conversions between element types in registers.
#include "kernels/x86/lanes.h"

namespace torchweld::x86 {

using asmjit::Imm;

namespace {

struct Conversion {
  DType from, to;
  InstId id;
  bool avx512_only;
};

constexpr Conversion kConversions[] = {
    {DType::kF32, DType::kF64, ins::kIdVcvtps2pd, false},
    {DType::kF64, DType::kF32, ins::kIdVcvtpd2ps, false},
    {DType::kF32, DType::kI32, ins::kIdVcvttps2dq, false},
    {DType::kI32, DType::kF32, ins::kIdVcvtdq2ps, false},
    {DType::kI32, DType::kF64, ins::kIdVcvtdq2pd, false},
    {DType::kF64, DType::kI32, ins::kIdVcvttpd2dq, false},
    {DType::kI32, DType::kI64, ins::kIdVpmovsxdq, false},
    {DType::kI64, DType::kI32, ins::kIdVpmovqd, true},
    {DType::kF32, DType::kI64, ins::kIdVcvttps2qq, true},
    {DType::kF64, DType::kI64, ins::kIdVcvttpd2qq, true},
    {DType::kI64, DType::kF32, ins::kIdVcvtqq2ps, true},
    {DType::kI64, DType::kF64, ins::kIdVcvtqq2pd, true},
};

torchweld::Inst zero_of(DType type) {
  torchweld::Inst zero;
  zero.type = type;
  return zero;
}

}  // namespace

Reg Lanes::cast_from_bool(DType to, const Reg& a) const {
  const int bytes = static_cast<int>(size_of(to));
  torchweld::Inst one;
  one.type = to;
  one.imm = 1;
  one.imm_int = 1;
  aj::Mem ones = constant_operand(one);
  if (!wide()) {
    const aj::Vec mask = bytes == 8 ? mask_to_64(a.as<aj::Vec>()) : a.as<aj::Vec>();
    return op(ins::kIdVandps, mask, ones, bytes);
  }
  const aj::Vec result = vec(bytes);
  ones.resetBroadcast();
  cc.k(a.as<aj::KReg>())
      .z()
      .emit(bytes == 8 ? ins::kIdVpbroadcastq : ins::kIdVpbroadcastd, result, ones);
  return result;
}

Reg Lanes::cast(DType from, DType to, const Reg& a, bool* done) const {
  *done = true;
  if (from == to) return a;
  if (from == DType::kBool) return cast_from_bool(to, a);
  if (to == DType::kBool) return compare(Prim::kNe, from, a, constant(zero_of(from)));
  for (const Conversion& conversion : kConversions) {
    if (conversion.from != from || conversion.to != to || (conversion.avx512_only && !wide()))
      continue;
    const aj::Vec result = vec(to);
    cc.emit(conversion.id, result, a);
    return result;
  }
  if (from == DType::kI64 && to == DType::kI32) return mask_of_64(a.as<aj::Vec>());
  *done = false;
  return a;
}

aj::Vec Lanes::wrap(DType to, const aj::Vec& a) const {
  if (to == DType::kU8) return op(instruction(Prim::kAnd, DType::kI32), a, bits32(0xff), 4);
  const int shift = to == DType::kI8 ? 24 : 16;
  const aj::Vec result = vec(4);
  cc.emit(ins::kIdVpslld, result, a, Imm(shift));
  cc.emit(ins::kIdVpsrad, result, result, Imm(shift));
  return result;
}

aj::Vec Lanes::bf16_bits(const aj::Vec& a) const {
  const aj::Vec odd = vec(4), rounded = vec(4);
  cc.emit(ins::kIdVpsrld, odd, a, Imm(16));
  cc.emit(instruction(Prim::kAnd, DType::kI32), odd, odd, bits32(1));
  cc.emit(ins::kIdVpaddd, rounded, a, bits32(0x7fff));
  cc.emit(ins::kIdVpaddd, rounded, rounded, odd);
  cc.emit(ins::kIdVpsrld, rounded, rounded, Imm(16));
  const Reg nan = compare(Prim::kNe, DType::kF32, a, a);
  return select(DType::kF32, nan, splat(bits32(0x7fc0), 4), rounded);
}

aj::Vec Lanes::round_half(DType to, const aj::Vec& a) const {
  const aj::Vec result = vec(4);
  if (to == DType::kBF16) {
    cc.emit(ins::kIdVpslld, result, bf16_bits(a), Imm(16));
    return result;
  }
  const aj::Vec half = vec(2);
  cc.emit(ins::kIdVcvtps2ph, half, a, Imm(0));
  cc.emit(ins::kIdVcvtph2ps, result, half);
  return result;
}

}  // namespace torchweld::x86
