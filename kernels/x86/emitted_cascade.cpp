#include "kernels/x86/emitted_cascade.h"

namespace torchweld::x86 {

using aj::Vec;
using asmjit::Imm;

namespace {

constexpr int kPair = 32, kEight = 8;

}  // namespace

EmittedCascade::EmittedCascade(const Lanes& lanes, const aj::Mem& columns)
    : v_(lanes), cc_(lanes.cc), columns_(columns) {
  for (Pair& level : levels_) {
    for (Vec& sums : level) sums = v_.vec(4);
  }
  clear(levels_[0]);
  const asmjit::Label one_block = cc_.newLabel();
  cc_.cmp(columns_, kBlock);
  cc_.jle(one_block);
  for (size_t level = 1; level < levels_.size(); ++level) clear(levels_[level]);
  cc_.bind(one_block);
}

void EmittedCascade::clear(const Pair& sums) const {
  for (const Vec& sum : sums) cc_.emit(ins::kIdVxorps, sum, sum, sum);
}

void EmittedCascade::add(int vector, const Vec& value) const {
  const Vec& sums = levels_[0][static_cast<size_t>(vector % 2)];
  cc_.emit(ins::kIdVaddps, sums, sums, value);
}

void EmittedCascade::add_rest(const Vec& value, const aj::Gp& index) {
  if (!has_rest_) rest_ = cc_.newStack(4 * kPair, 64);
  has_rest_ = true;
  const aj::Gp at = cc_.newInt64();
  cc_.mov(at, index);
  cc_.and_(at, kPair - 1);
  aj::Mem to = rest_;
  to.setIndex(at, 2);
  cc_.emit(ins::kIdVmovups, to, value);
}

void EmittedCascade::merge(const Pair& from, const Pair& into) const {
  for (size_t i = 0; i < from.size(); ++i) cc_.emit(ins::kIdVaddps, into[i], into[i], from[i]);
}

void EmittedCascade::end_block(const aj::Gp& index) const {
  merge(levels_[0], levels_[1]);
  clear(levels_[0]);
  const asmjit::Label done = cc_.newLabel();
  int64_t whole = kBlock;
  for (size_t level = 2; level < levels_.size(); ++level) {
    whole *= 16;
    cc_.test(index, static_cast<int32_t>(whole - 1));
    cc_.jnz(done);
    merge(levels_[level - 1], levels_[level]);
    clear(levels_[level - 1]);
  }
  cc_.bind(done);
}

/// Up to three vectors of eight, to the first of the four sums.
void EmittedCascade::add_eights(const Vec& sums, const aj::Gp& rest) const {
  const asmjit::Label done = cc_.newLabel();
  for (int from = 0; from + kEight < kPair; from += kEight) {
    cc_.cmp(rest, from + kEight);
    cc_.jl(done);
    cc_.emit(ins::kIdVaddps, sums, sums, rest_.cloneAdjusted(4 * from));
  }
  cc_.bind(done);
}

/// The sum of up to seven elements in their order; nothing where there are none.
void EmittedCascade::sum_elements(const Vec& sum, const aj::Gp& rest) const {
  const aj::Gp at = cc_.newInt64();
  const asmjit::Label next = cc_.newLabel(), done = cc_.newLabel();
  cc_.mov(at, rest);
  cc_.and_(at, -kEight);
  cc_.cmp(at, rest);
  cc_.je(done);
  aj::Mem element = rest_;
  element.setIndex(at, 2);
  element.setSize(4);
  cc_.emit(ins::kIdVxorps, sum, sum, sum);
  cc_.bind(next);
  cc_.emit(ins::kIdVaddss, sum, sum, element);
  cc_.inc(at);
  cc_.cmp(at, rest);
  cc_.jl(next);
  cc_.bind(done);
}

/// Sums that began at 0 are never -0, so those that need not be added to 0 are not.
Vec EmittedCascade::finish() {
  const auto& [first, second] = levels_[0];
  const Vec sums = first.ymm(), upper = cc_.newYmm(), elements = cc_.newXmm();
  const aj::Gp rest = cc_.newInt64();
  const asmjit::Label one_block = cc_.newLabel(), no_rest = cc_.newLabel(),
                      no_elements = cc_.newLabel();
  cc_.cmp(columns_, kBlock);
  cc_.jle(one_block);
  for (size_t level = 1; level < levels_.size(); ++level) merge(levels_[level], levels_[0]);
  cc_.bind(one_block);

  cc_.emit(ins::kIdVextractf64x4, upper, first, Imm(1));
  cc_.mov(rest, columns_);
  if (has_rest_) {
    cc_.and_(rest, kPair - 1);
    cc_.jz(no_rest);
    sum_elements(elements, rest);
    add_eights(sums, rest);
    cc_.bind(no_rest);
  }
  cc_.emit(ins::kIdVaddps, sums, sums, upper);
  cc_.emit(ins::kIdVaddps, sums, sums, second.ymm());
  cc_.emit(ins::kIdVextractf64x4, upper, second, Imm(1));
  cc_.emit(ins::kIdVaddps, sums, sums, upper);

  cc_.emit(ins::kIdVextractf32x4, upper.xmm(), sums, Imm(1));
  cc_.test(rest, kEight - 1);
  cc_.jz(no_elements);
  cc_.emit(ins::kIdVaddss, sums.xmm(), sums.xmm(), elements);
  cc_.bind(no_elements);
  const Vec total = v_.vec(4);
  add_lanes(total.xmm(), sums.xmm(), upper.xmm());
  cc_.emit(ins::kIdVbroadcastss, total, total.xmm());
  return total;
}

/// The sum of eight lanes in their order.
void EmittedCascade::add_lanes(const Vec& sum, const Vec& lower, const Vec& upper) const {
  cc_.emit(ins::kIdVmovaps, sum, lower);
  for (int lane = 1; lane < kEight; ++lane) {
    Vec next = lane < 4 ? lower : upper;
    if (lane % 4 != 0) {
      next = cc_.newXmm();
      cc_.emit(ins::kIdVpermilps, next, lane < 4 ? lower : upper, Imm(lane % 4));
    }
    cc_.emit(ins::kIdVaddss, sum, sum, next);
  }
}

}  // namespace torchweld::x86
