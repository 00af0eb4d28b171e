// Constants of approximations in registers, as many as a pass has room for.
#pragma once

#include <map>

#include "kernels/x86/lanes.h"

namespace torchweld::x86 {

/// Gives a constant as a register that was loaded in front of a pass's loops, or as memory where
/// the pass has no register left. On a processor that loads one vector of 64 bytes a cycle, a
/// polynomial whose coefficients come from memory is bound by loads.
class HeldConstants {
 public:
  explicit HeldConstants(const Lanes& lanes) : v_(lanes) {}

  /// Where the code is now, a pass begins, whose loops leave `room` registers free. Without one
  /// constants are in memory.
  void begin(int room);

  /// A constant in every lane, of 32 or 64 bits, to be read only.
  asmjit::Operand word(uint32_t bits);
  asmjit::Operand word(uint64_t bits);
  /// 16 floats, a lane each.
  asmjit::Operand row(const float (&lanes)[16]);

 private:
  template <class Load>
  aj::Vec hold(const Load& load);

  const Lanes& v_;
  int room_ = 0;
  asmjit::BaseNode* front_ = nullptr;
  std::map<uint32_t, aj::Vec> words_;
  std::map<uint64_t, aj::Vec> long_words_;
  std::map<const float*, aj::Vec> rows_;
};

}  // namespace torchweld::x86
