#include "kernels/phases.h"

#include <algorithm>

namespace torchweld {
namespace {

/// Whether a load's address is the same for all elements of a row, but for its offset.
bool strides_are_of_row(const OperandSpec& operand, const KernelSpec& spec) {
  for (int d = spec.rank - spec.reduced; d < spec.rank; ++d) {
    if (operand.strides[static_cast<size_t>(d)] != StrideClass::kZero) return false;
  }
  return true;
}

bool is_of_row(const Inst& inst, const KernelSpec& spec) {
  if (spec.reduced == 0 || inst.prim == Prim::kRunningSum) return false;
  if (inst.prim == Prim::kCoord) return inst.imm_int < spec.rank - spec.reduced;
  if (inst.prim == Prim::kLoad)
    return strides_are_of_row(spec.loads[static_cast<size_t>(inst.operand)], spec);
  return true;
}

}  // namespace

Phases phases_of(const KernelSpec& spec) {
  Phases phases;
  const auto ready_of = [&](int16_t value) { return phases.ready[static_cast<size_t>(value)]; };
  for (const Inst& inst : spec.body) {
    int ready = 0;
    bool per_row = is_of_row(inst, spec);
    for (const int16_t arg : inst.args) {
      if (arg < 0) continue;
      ready = std::max(ready, ready_of(arg));
      per_row = per_row && phases.per_row[static_cast<size_t>(arg)];
    }
    if (is_reduction(inst.prim)) {
      phases.count = std::max(phases.count, ready + 1);
      ready += 1;
      per_row = true;
    }
    phases.ready.push_back(ready);
    phases.per_row.push_back(per_row);
  }
  for (const StoreSpec& store : spec.stores) {
    if (store.per_row) continue;
    for (const int16_t value : {store.value, store.offset, store.predicate}) {
      if (value >= 0) phases.count = std::max(phases.count, ready_of(value) + 1);
    }
  }
  return phases;
}

}  // namespace torchweld
