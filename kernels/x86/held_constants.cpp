#include "kernels/x86/held_constants.h"

namespace torchweld::x86 {

using aj::Vec;
using asmjit::Operand;

void HeldConstants::begin(int room) {
  room_ = v_.wide() ? room : 0;
  front_ = v_.cc.cursor();
  words_.clear();
  long_words_.clear();
  rows_.clear();
}

/// A register that `load` gives in front of the pass.
template <class Load>
Vec HeldConstants::hold(const Load& load) {
  asmjit::BaseNode* here = v_.cc.cursor();
  const bool is_front = here == front_;
  const auto extra = v_.cc.extraReg();  // the mask of an instruction whose operand this is
  const auto options = v_.cc.instOptions();
  v_.cc.resetExtraReg();
  v_.cc.resetInstOptions();
  v_.cc.setCursor(front_);
  const Vec held = load();
  front_ = v_.cc.cursor();
  if (!is_front) v_.cc.setCursor(here);
  v_.cc.setExtraReg(extra);
  v_.cc.setInstOptions(options);
  --room_;
  return held;
}

Operand HeldConstants::word(uint32_t bits) {
  if (const auto held = words_.find(bits); held != words_.end()) return held->second;
  const aj::Mem memory = v_.bits32(bits);
  if (room_ <= 0) return memory;
  return words_[bits] = hold([&] { return v_.splat(memory, 4); });
}

Operand HeldConstants::word(uint64_t bits) {
  if (const auto held = long_words_.find(bits); held != long_words_.end()) return held->second;
  const aj::Mem memory = v_.bits64(bits);
  if (room_ <= 0) return memory;
  return long_words_[bits] = hold([&] { return v_.splat(memory, 8); });
}

Operand HeldConstants::row(const float (&lanes)[16]) {
  if (const auto held = rows_.find(lanes); held != rows_.end()) return held->second;
  const aj::Mem memory = v_.cc.newConst(asmjit::ConstPoolScope::kLocal, lanes, sizeof lanes);
  if (room_ <= 0) return memory;
  return rows_[lanes] = hold([&] {
           const Vec to = v_.vec(4);
           v_.cc.emit(ins::kIdVmovaps, to, memory);
           return to;
         });
}

}  // namespace torchweld::x86
