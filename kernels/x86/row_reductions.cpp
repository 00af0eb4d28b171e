#include "kernels/x86/row_reductions.h"

#include <limits>

namespace torchweld::x86 {

using aj::Vec;
using asmjit::Imm;

void RowReductions::start(const std::vector<int>& steps, int times,
                          const std::optional<aj::Mem>& columns) {
  partial_.clear();
  totals_.clear();
  cascades_.clear();
  numbers_.clear();
  in_block_ = v_.cc.newInt64();
  v_.cc.xor_(in_block_.r32(), in_block_.r32());
  for (const int step : steps) {
    if (columns && inst(step).prim == Prim::kSum && at(step).order == SumOrder::kCascade) {
      cascades_.try_emplace(step, v_, *columns);
      continue;
    }
    const Vec first = identity(step);
    std::vector<Vec>& vectors = partial_[step];
    const int count = is_chain(step) && !across_ ? 1 : times;
    for (int i = 0; i < count; ++i) {
      vectors.push_back(v_.vec(inst(step).type));
      v_.cc.emit(ins::kIdVmovaps, vectors.back(), first);
    }
    if (notes_numbers(step)) {
      const aj::KReg all = numbers_[step] = v_.cc.newKw();
      v_.cc.kxnorw(all, all, all);
    }
    if (inst(step).prim != Prim::kSum || is_chain(step)) continue;
    for (const Vec& vector : vectors) {
      totals_[step].push_back(v_.vec(inst(step).type));
      v_.cc.emit(ins::kIdVmovaps, totals_[step].back(), vector);
    }
  }
}

Vec RowReductions::identity(int step) const {
  const Inst& reduction = inst(step);
  const double infinity = std::numeric_limits<double>::infinity();
  const double value = reduction.prim == Prim::kSum       ? 0
                       : reduction.prim == Prim::kProduct ? 1
                       : reduction.prim == Prim::kLargest ? -infinity
                                                          : infinity;
  return v_.splat(v_.number(reduction.type, value), static_cast<int>(size_of(reduction.type)));
}

void RowReductions::merge(int step, const Vec& into, const Vec& value) const {
  const Inst& reduction = inst(step);
  if (reduction.prim == Prim::kLargest || reduction.prim == Prim::kSmallest) {
    v_.cc.emit(ins::kIdVmovaps, into, v_.min_max(extreme_of(step), reduction.type, into, value));
    return;
  }
  const Prim prim = reduction.prim == Prim::kSum ? Prim::kAdd : Prim::kMul;
  v_.cc.emit(v_.instruction(prim, reduction.type), into, into, value);
}

void RowReductions::add(int step, int vector, const Reg& value, const Reg* exists,
                        const aj::Gp& index) {
  if (const auto cascade = cascades_.find(step); cascade != cascades_.end()) {
    if (exists == nullptr) return cascade->second.add(vector, value.as<Vec>());
    return cascade->second.add_rest(
        v_.select(DType::kF32, *exists, value.as<Vec>(), identity(step)), index);
  }
  const std::vector<Vec>& vectors = partial_.at(step);
  const Vec& into = vectors[static_cast<size_t>(vector) % vectors.size()];
  const Vec element = exists == nullptr
                          ? value.as<Vec>()
                          : v_.select(inst(step).type, *exists, value.as<Vec>(), identity(step));
  const auto numbers = numbers_.find(step);
  if (numbers == numbers_.end()) return merge(step, into, element);
  // A NaN that comes and goes is noted beside the chain, which is one instruction long.
  v_.cc.emit(v_.instruction(extreme_of(step), DType::kF32), into, into, element);
  v_.cc.k(numbers->second).emit(ins::kIdVcmpps, numbers->second, element, element, Imm(7));
}

/// The vector with neighbouring pieces of `distance_bytes` in each other's place.
Vec RowReductions::swapped(const Vec& value, int bytes, int distance_bytes) const {
  const Vec to = v_.vec(bytes);
  if (distance_bytes == 32) {
    v_.cc.emit(ins::kIdVshuff64x2, to, value, value, Imm(0x4e));
  } else if (distance_bytes == 16 && value.isZmm()) {
    v_.cc.emit(ins::kIdVshuff64x2, to, value, value, Imm(0xb1));
  } else if (distance_bytes == 16) {
    v_.cc.emit(ins::kIdVperm2f128, to, value, value, Imm(1));
  } else if (distance_bytes == 8) {
    v_.cc.emit(ins::kIdVpermilpd, to, value, Imm(0x55));
  } else {
    v_.cc.emit(ins::kIdVpermilps, to, value, Imm(0xb1));
  }
  return to;
}

void RowReductions::end_block(const aj::Gp& index) {
  for (const auto& [step, cascade] : cascades_) cascade.end_block(index);
  for (auto& [step, totals] : totals_) {
    const std::vector<Vec>& vectors = partial_.at(step);
    for (size_t i = 0; i < vectors.size(); ++i) {
      merge(step, totals[i], vectors[i]);
      v_.cc.emit(ins::kIdVxorps, vectors[i], vectors[i], vectors[i]);
    }
  }
}

void RowReductions::begin_part(const aj::Gp& elements) { v_.cc.add(in_block_, elements); }

void RowReductions::end_part(const aj::Gp& index) {
  const asmjit::Label goes_on = v_.cc.newLabel();
  v_.cc.cmp(in_block_, across_ ? kSumBlock : kLaneBlock);
  v_.cc.jl(goes_on);
  end_block(index);
  v_.cc.xor_(in_block_.r32(), in_block_.r32());
  v_.cc.bind(goes_on);
}

/// With all its blocks.
Vec RowReductions::total_of(int step, size_t vector) {
  const Vec& last = partial_.at(step)[vector];
  const auto total = totals_.find(step);
  if (total == totals_.end()) return last;
  merge(step, total->second[vector], last);
  return total->second[vector];
}

Reg RowReductions::lanes_of(int step, int vector) {
  return total_of(step, static_cast<size_t>(vector));
}

void RowReductions::merge_lanes(int step, const Vec& into) const {
  const Inst& reduction = inst(step);
  const int bytes = static_cast<int>(size_of(reduction.type));
  const bool is_extreme = reduction.prim == Prim::kLargest || reduction.prim == Prim::kSmallest;
  const Prim prim = extreme_of(step);
  for (int distance = static_cast<int>(into.size()) / 2; distance >= bytes; distance /= 2) {
    const Vec other = swapped(into, bytes, distance);
    if (is_extreme && v_.wide()) {
      v_.cc.emit(v_.instruction(prim, reduction.type), into, into, other);
    } else {
      merge(step, into, other);
    }
  }
  if (!is_extreme || !v_.wide()) return;
  if (const auto numbers = numbers_.find(step); numbers != numbers_.end()) {
    const asmjit::Label none = v_.cc.newLabel();
    v_.cc.kortestw(numbers->second, numbers->second);
    v_.cc.jc(none);
    set_nan(reduction.type, into);
    v_.cc.bind(none);
  } else {
    spread_nan(reduction.type, into);
  }
}

void RowReductions::set_nan(DType type, const Vec& into) const {
  v_.cc.emit(ins::kIdVmovaps, into,
             v_.splat(v_.number(type, std::numeric_limits<double>::quiet_NaN()),
                      static_cast<int>(size_of(type))));
}

// The instruction gives its second source when either is NaN, so one that is in a lane moves to
// the lane's partner at each distance, and is never lost.
void RowReductions::spread_nan(DType type, const Vec& into) const {
  const aj::KReg nan = v_.cc.newKw();
  const asmjit::Label none = v_.cc.newLabel();
  const bool is64 = size_of(type) == 8;
  v_.cc.emit(is64 ? ins::kIdVcmppd : ins::kIdVcmpps, nan, into, into, Imm(3));
  v_.cc.kortestw(nan, nan);
  v_.cc.jz(none);
  set_nan(type, into);
  v_.cc.bind(none);
}

// Quarters beyond the row are left out; its other absent lanes are 0, which a sum of weights
// doesn't see.
void RowReductions::merge_lanes_in_order(const Vec& into, const aj::Mem& columns) const {
  const Vec lanes = v_.copy(DType::kF32, into).as<Vec>(), sum = into.xmm();
  const asmjit::Label done = v_.cc.newLabel();
  for (int quarter = 0; 4 * quarter < v_.count; ++quarter) {
    Vec four = lanes.xmm();
    if (quarter > 0) {
      v_.cc.cmp(columns, 4 * quarter);
      v_.cc.jle(done);
      four = v_.cc.newXmm();
      v_.cc.emit(ins::kIdVextractf32x4, four, lanes, Imm(quarter));
      v_.cc.emit(ins::kIdVaddss, sum, sum, four);
    }
    for (int lane = 1; lane < 4; ++lane) {
      const Vec turned = v_.cc.newXmm();
      v_.cc.emit(ins::kIdVpermilps, turned, four, Imm(lane));
      v_.cc.emit(ins::kIdVaddss, sum, sum, turned);
    }
  }
  v_.cc.bind(done);
  v_.cc.emit(ins::kIdVbroadcastss, into, sum);
}

Reg RowReductions::finish(int step, const aj::Mem& columns) {
  if (const auto cascade = cascades_.find(step); cascade != cascades_.end())
    return cascade->second.finish();
  const size_t vectors = partial_.at(step).size();
  const Vec all = total_of(step, 0);
  for (size_t i = 1; i < vectors; ++i) merge(step, all, total_of(step, i));
  if (!is_chain(step) || !all.isZmm()) {
    merge_lanes(step, all);
    return all;
  }
  const asmjit::Label is_short = v_.cc.newLabel(), done = v_.cc.newLabel();
  v_.cc.cmp(columns, v_.count);
  v_.cc.jl(is_short);
  merge_lanes(step, all);
  v_.cc.jmp(done);
  v_.cc.bind(is_short);
  merge_lanes_in_order(all, columns);
  v_.cc.bind(done);
  return all;
}

}  // namespace torchweld::x86
