#include "kernels/x86/row_reductions.h"

#include <limits>

namespace torchweld::x86 {

using aj::Vec;
using asmjit::Imm;

void RowReductions::start(const std::vector<int>& steps, int times) {
  partial_.clear();
  totals_.clear();
  for (const int step : steps) {
    const Vec first = identity(step);
    std::vector<Vec>& vectors = partial_[step];
    for (int i = 0; i < times; ++i) {
      vectors.push_back(v_.vec(inst(step).type));
      v_.cc.emit(ins::kIdVmovaps, vectors.back(), first);
    }
    if (inst(step).prim != Prim::kSum) continue;
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
    const Prim prim = reduction.prim == Prim::kLargest ? Prim::kMax : Prim::kMin;
    v_.cc.emit(ins::kIdVmovaps, into, v_.min_max(prim, reduction.type, into, value));
    return;
  }
  const Prim prim = reduction.prim == Prim::kSum ? Prim::kAdd : Prim::kMul;
  v_.cc.emit(v_.instruction(prim, reduction.type), into, into, value);
}

void RowReductions::add(int step, int vector, const Reg& value, const Reg* exists) {
  const Vec& into = partial_.at(step)[static_cast<size_t>(vector)];
  if (exists == nullptr) return merge(step, into, value.as<Vec>());
  merge(step, into, v_.select(inst(step).type, *exists, value.as<Vec>(), identity(step)));
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

bool RowReductions::has_sums() const {
  for (const auto& [step, vectors] : partial_) {
    if (inst(step).prim == Prim::kSum) return true;
  }
  return false;
}

void RowReductions::end_block() {
  for (auto& [step, vectors] : partial_) {
    if (inst(step).prim != Prim::kSum) continue;
    std::vector<Vec>& totals = totals_.at(step);
    for (size_t i = 0; i < vectors.size(); ++i) {
      merge(step, totals[i], vectors[i]);
      v_.cc.emit(ins::kIdVxorps, vectors[i], vectors[i], vectors[i]);
    }
  }
}

Reg RowReductions::lanes_of(int step, int vector) {
  const auto total = totals_.find(step);
  const auto i = static_cast<size_t>(vector);
  return total == totals_.end() ? partial_.at(step)[i] : total->second[i];
}

Reg RowReductions::finish(int step) {
  const auto total = totals_.find(step);
  std::vector<Vec>& vectors = total == totals_.end() ? partial_.at(step) : total->second;
  for (size_t i = 1; i < vectors.size(); ++i) merge(step, vectors[0], vectors[i]);
  const int bytes = static_cast<int>(size_of(inst(step).type));
  for (int distance = static_cast<int>(vectors[0].size()) / 2; distance >= bytes; distance /= 2)
    merge(step, vectors[0], swapped(vectors[0], bytes, distance));
  return vectors[0];
}

}  // namespace torchweld::x86
