#include "kernels/x86/walk.h"

namespace torchweld::x86 {
namespace {

int across_memory(const KernelSpec& spec, int dim) {
  int count = 0;
  const auto look_at = [&](const OperandSpec& operand) {
    if (operand.strides[static_cast<size_t>(dim)] == StrideClass::kAny) ++count;
  };
  for (const OperandSpec& load : spec.loads) look_at(load);
  for (const StoreSpec& store : spec.stores) look_at(store.operand);
  return count;
}

}  // namespace

Walk walk_of(const KernelSpec& spec) {
  if (spec.reduced == 0) return {spec.rank - 1, spec.rank - 1, 0, 0, false};
  const int kept = spec.rank - spec.reduced;
  if (kept > 0 && across_memory(spec, kept - 1) < across_memory(spec, spec.rank - 1))
    return {kept - 1, kept - 1, kept, spec.rank, true};
  return {kept, spec.rank - 1, kept, spec.rank - 1, false};
}

bool is_of_row(const OperandSpec& operand, const KernelSpec& spec) {
  for (int d = spec.rank - spec.reduced; d < spec.rank; ++d) {
    if (operand.strides[static_cast<size_t>(d)] != StrideClass::kZero) return false;
  }
  return true;
}

}  // namespace torchweld::x86
