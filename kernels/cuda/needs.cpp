#include "kernels/cuda/needs.h"

#include <algorithm>

#include "kernels/cuda/schedule.h"

namespace torchweld::cuda {

bool is_vector_load(const KernelSpec& spec, const Phases& phases, size_t inst) {
  return is_plain_load(spec.body[inst]) && !(spec.reduced > 0 && phases.per_row[inst]);
}

std::vector<bool> needed_in(const KernelSpec& spec, const Phases& phases, int phase) {
  std::vector<bool> needed(spec.body.size(), false);
  const auto want = [&](int16_t value) {
    if (value >= 0) needed[static_cast<size_t>(value)] = true;
  };
  if (phase + 1 == phases.count) {
    for (const StoreSpec& store : spec.stores) {
      if (store.per_row) continue;
      for (const int16_t value : {store.value, store.offset, store.predicate}) want(value);
    }
  }
  for (size_t i = spec.body.size(); i-- > 0;) {
    const Inst& inst = spec.body[i];
    const bool reduces_now = is_reduction(inst.prim) && phases.ready[i] == phase + 1;
    const bool of_row = spec.reduced > 0 && phases.per_row[i];
    if (!reduces_now && (!needed[i] || of_row)) continue;
    for (const int16_t arg : inst.args) want(arg);
  }
  return needed;
}

std::vector<int> due_in(const KernelSpec& spec, const Phases& phases) {
  std::vector<int> due(spec.body.size(), phases.count);
  for (int phase = phases.count; phase-- > 0;) {
    const std::vector<bool> needed = needed_in(spec, phases, phase);
    for (size_t i = 0; i < due.size(); ++i) {
      if (needed[i]) due[i] = phase;
    }
  }
  for (size_t i = spec.body.size(); i-- > 0;) {
    if (!phases.per_row[i] || is_reduction(spec.body[i].prim)) continue;
    for (const int16_t arg : spec.body[i].args) {
      if (arg >= 0) due[static_cast<size_t>(arg)] = std::min(due[static_cast<size_t>(arg)], due[i]);
    }
  }
  return due;
}

unsigned phases_of_load(const KernelSpec& spec, const Phases& phases, size_t load) {
  unsigned mask = 0;
  for (int phase = 0; phase < phases.count; ++phase) {
    const std::vector<bool> needed = needed_in(spec, phases, phase);
    for (size_t i = 0; i < spec.body.size(); ++i) {
      if (needed[i] && is_vector_load(spec, phases, i) &&
          static_cast<size_t>(spec.body[i].operand) == load)
        mask |= 1u << phase;
    }
  }
  return mask;
}

}  // namespace torchweld::cuda
