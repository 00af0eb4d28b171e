// One vector of `count` elements at a time, for AVX2 and AVX-512 alike: the generator's macro
// assembler. Knows types and primitives, not kernels. Values are virtual registers; AsmJit
// allocates the real ones.
#pragma once

#include <asmjit/x86.h>

#include <array>

#include "kernels/spec.h"
#include "kernels/x86/isa.h"

namespace torchweld::x86 {

namespace aj = asmjit::x86;
namespace ins = asmjit::x86::Inst;
using InstId = asmjit::InstId;

/// A vector register with `count` elements, or for bool a mask: a k register on AVX-512, 32-bit
/// lanes of 0 and -1 on AVX2.
using Reg = aj::Reg;

class Lanes {
 public:
  Lanes(aj::Compiler& cc, Isa isa, int count);

  aj::Compiler& cc;
  const Isa isa;
  const int count;

  bool wide() const { return isa == Isa::kAvx512; }

  // Registers. A vector for elements of `bytes` bytes is as short as `count` of them allow.
  aj::Vec vec(int bytes) const;
  aj::Vec vec(DType type) const {
    return vec(static_cast<int>(size_of(type == DType::kBool ? DType::kI32 : type)));
  }
  Reg fresh(DType type) const;
  Reg copy(DType type, const Reg& from) const;

  // Constants as memory operands, valid as the last source of any instruction on elements of that
  // size.
  aj::Mem bits32(uint32_t bits) const;
  aj::Mem bits64(uint64_t bits) const;
  aj::Mem number(DType type, double value) const;
  aj::Mem f32(float value) const;
  /// 16 bytes repeated over the vector, as byte shuffles want them.
  aj::Mem bytes16(const std::array<uint8_t, 16>& bytes) const;
  Reg constant(const Inst& inst) const;
  aj::Mem constant_operand(const Inst& inst) const;
  aj::Vec splat(const aj::Mem& element, int bytes) const;
  /// The low half of a register in i32 lanes; and first, first + 1, ... with first = from + more.
  aj::Vec splat(const aj::Gp& from) const;
  aj::Vec counted(const aj::Gp& from, int more) const;

  // Primitives. Each gives a fresh register unless it says otherwise.
  aj::Vec op(InstId id, const aj::Vec& a, const asmjit::Operand& b, int bytes) const;
  Reg compare(Prim prim, DType type, const Reg& a, const asmjit::Operand& b) const;
  aj::Vec select(DType type, const Reg& mask, const aj::Vec& yes, const aj::Vec& no) const;
  Reg logic(Prim prim, const Reg& a, const Reg& b) const;
  Reg select_bool(const Reg& mask, const Reg& yes, const Reg& no) const;
  aj::Vec min_max(Prim prim, DType type, const aj::Vec& a, const aj::Vec& b) const;
  aj::Vec round_whole(DType type, const aj::Vec& a, int mode) const;
  aj::Vec copysign(DType type, const aj::Vec& magnitude, const aj::Vec& sign) const;
  aj::Vec wrap(DType to, const aj::Vec& a) const;
  aj::Vec round_half(DType to, const aj::Vec& a) const;
  /// f32 to the 16 bits of bf16 in the low half of each 32-bit lane.
  aj::Vec bf16_bits(const aj::Vec& a) const;

  /// a + b, ... on vectors of `type`; false where the processor has no such instruction.
  bool has(Prim prim, DType type) const { return instruction(prim, type) != 0; }
  InstId instruction(Prim prim, DType type) const;

  /// `from` converted; false in `done` where it takes a scalar loop.
  Reg cast(DType from, DType to, const Reg& a, bool* done) const;
  Reg mask_of_64(const aj::Vec& mask) const;
  aj::Vec mask_to_64(const aj::Vec& mask) const;

 private:
  aj::Mem repeated(const void* element, int bytes) const;
  Reg cast_from_bool(DType to, const Reg& a) const;
};

}  // namespace torchweld::x86
