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
  const int along = across_memory(spec, spec.rank - 1);
  if (kept > 0 && along > 0 && across_memory(spec, kept - 1) <= along)
    return {kept - 1, kept - 1, kept, spec.rank, true};
  return {kept, spec.rank - 1, kept, spec.rank - 1, false};
}

KernelSpec for_short_rows(const KernelSpec& spec, const Geometry& geometry) {
  constexpr int64_t kShort = 8, kLong = 8;
  const int kept = spec.rank - spec.reduced;
  if (spec.reduced == 0 || kept == 0 || geometry.sizes.back() >= kShort ||
      geometry.sizes[static_cast<size_t>(kept - 1)] < kLong)
    return spec;
  KernelSpec out = spec;
  const auto relax = [&](OperandSpec* operand) {
    StrideClass& inner = operand->strides[static_cast<size_t>(spec.rank - 1)];
    if (inner == StrideClass::kOne) inner = StrideClass::kAny;
  };
  for (OperandSpec& load : out.loads) relax(&load);
  for (StoreSpec& store : out.stores) relax(&store.operand);
  return walk_of(out).across ? out : spec;
}

bool is_of_row(const OperandSpec& operand, const KernelSpec& spec) {
  for (int d = spec.rank - spec.reduced; d < spec.rank; ++d) {
    if (operand.strides[static_cast<size_t>(d)] != StrideClass::kZero) return false;
  }
  return true;
}

}  // namespace torchweld::x86
