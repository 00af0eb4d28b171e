// A body's arithmetic in the instructions that cost least.
#pragma once

#include <vector>

#include "kernels/x86/lower.h"

namespace torchweld::x86 {

/// Rewrites the steps of a program in place; none is added.
class Arithmetic {
 public:
  explicit Arithmetic(Program* program) : program_(program) {}

  /// x * 2^k + c in one instruction, where the bits are those of two.
  void fuse_exact_products();

  /// An fma takes an operand's sign with it.
  void absorb_signs();

  /// x / 2 (1 + erf(x / sqrt(2))) in one step.
  void find_gelus();

  /// Sums as products with `one`, a constant, until adders and multipliers have as much to do. The
  /// uses of the steps have to be known.
  void share_adders(int16_t one);

 private:
  const Inst& at(int16_t value) const { return program_->steps[static_cast<size_t>(value)].inst; }
  std::vector<int> count_uses() const;
  bool scales_by_power_of_two(Inst* product) const;
  int16_t beside_constant(int16_t value, Prim prim, double number) const;
  int16_t of_twice_normal(int16_t value) const;

  Program* program_;
};

}  // namespace torchweld::x86
