#include "kernels/x86/arithmetic.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/x86/math.h"

namespace torchweld::x86 {
namespace {

bool is_sum(Prim prim) { return prim == Prim::kAdd || prim == Prim::kSub; }

}  // namespace

std::vector<int> Arithmetic::count_uses() const {
  std::vector<int> uses(program_->steps.size());
  for (const int16_t value : program_->stores) ++uses[static_cast<size_t>(value)];
  for (const Step& step : program_->steps) {
    for (const int16_t arg : step.inst.args) {
      if (arg >= 0) ++uses[static_cast<size_t>(arg)];
    }
  }
  return uses;
}

// Whether the value is a product by a power of two; puts the number that it scales first.
bool Arithmetic::scales_by_power_of_two(Inst* product) const {
  if (product->prim != Prim::kMul) return false;
  if (at(product->args[0]).prim == Prim::kConst) std::swap(product->args[0], product->args[1]);
  const Inst& factor = at(product->args[1]);
  int exponent = 0;
  return factor.prim == Prim::kConst && std::abs(std::frexp(factor.imm, &exponent)) == 0.5 &&
         std::abs(exponent) < 64;
}

// x * 2^k + c in one instruction where the bits are those of two. Scaling is exact, unless it
// overflows, where c of at most 2^64 does not bring the sum back, or underflows, where c of at
// least 2^-64 swallows what is lost.
void Arithmetic::fuse_exact_products() {
  const std::vector<int> uses = count_uses();
  for (Step& step : program_->steps) {
    Inst& inst = step.inst;
    if (!is_sum(inst.prim) || !is_floating(inst.type)) continue;
    for (int i = 0; i < 2; ++i) {
      Inst product = at(inst.args[i]);
      const int16_t addend = inst.args[1 - i];
      const double magnitude = std::abs(at(addend).imm);
      if (uses[static_cast<size_t>(inst.args[i])] != 1 || !scales_by_power_of_two(&product) ||
          at(addend).prim != Prim::kConst || !(magnitude >= 0x1p-64 && magnitude <= 0x1p64))
        continue;
      step.negate_product = inst.prim == Prim::kSub && i == 1;
      step.negate_addend = inst.prim == Prim::kSub && i == 0;
      inst.prim = Prim::kFma;
      inst.args = {product.args[0], product.args[1], addend};
      break;
    }
  }
}

void Arithmetic::absorb_signs() {
  for (Step& step : program_->steps) {
    if (step.inst.prim != Prim::kFma) continue;
    for (int i = 0; i < 3; ++i) {
      const Inst& arg = at(step.inst.args[i]);
      if (arg.prim != Prim::kNeg) continue;
      bool& flag = i == 2 ? step.negate_addend : step.negate_product;
      flag = !flag;
      step.inst.args[i] = arg.args[0];
    }
  }
}

// The other operand of a sum or product of f32 by a constant close to `number`; -1: isn't one.
int16_t Arithmetic::beside_constant(int16_t value, Prim prim, double number) const {
  const Inst& inst = at(value);
  if (inst.prim != prim || inst.type != DType::kF32) return -1;
  for (int i = 0; i < 2; ++i) {
    const Inst& constant = at(inst.args[i]);
    if (constant.prim == Prim::kConst && std::abs(constant.imm - number) < 1e-7)
      return inst.args[1 - i];
  }
  return -1;
}

// x where the value is 1 + erf(x / sqrt(2)); -1: it is not.
int16_t Arithmetic::of_twice_normal(int16_t value) const {
  const int16_t erf = beside_constant(value, Prim::kAdd, 1);
  if (erf < 0 || at(erf).prim != Prim::kErf) return -1;
  return beside_constant(at(erf).args[0], Prim::kMul, 0.70710678118654752440);
}

// x / 2 (1 + erf(x / sqrt(2))) in one step.
void Arithmetic::find_gelus() {
  for (Step& step : program_->steps) {
    if (step.inst.prim != Prim::kMul || step.inst.type != DType::kF32) continue;
    for (int i = 0; i < 2; ++i) {
      const int16_t half_of = beside_constant(step.inst.args[i], Prim::kMul, 0.5);
      const int16_t x = of_twice_normal(step.inst.args[1 - i]);
      if (x < 0 || x != half_of) continue;
      step.gelu = true;
      step.inst.prim = Prim::kErf;
      step.inst.args = {x, -1, -1};
      break;
    }
  }
}

// A processor that adds and compares in other units than it multiplies in (AMD's) would leave
// those idle: a + b is a * 1 + b to the bit.
void Arithmetic::share_adders(int16_t one_index) {
  int adders = 0, multipliers = 0;
  for (const Step& step : program_->steps) {
    const Prim prim = step.inst.prim;
    if (!step.live || step.inst.type != DType::kF32) continue;
    // These are sums of products.
    if (Math::covers(prim) || prim == Prim::kSum) return;
    multipliers += prim == Prim::kMul || prim == Prim::kFma;
    adders += is_sum(prim) || prim == Prim::kMin || prim == Prim::kMax;
  }
  for (size_t i = 0; i < program_->steps.size() && adders > multipliers + 1; ++i) {
    Step& step = program_->steps[i];
    Inst& inst = step.inst;
    if (!step.live || !is_sum(inst.prim) || inst.type != DType::kF32) continue;
    step.negate_addend = inst.prim == Prim::kSub;
    inst.prim = Prim::kFma;
    inst.args = {inst.args[0], one_index, inst.args[1]};
    Step& one = program_->steps[static_cast<size_t>(one_index)];
    one.live = true;
    one.last_use = std::max(one.last_use, static_cast<int>(i));
    --adders, ++multipliers;
  }
}

}  // namespace torchweld::x86
