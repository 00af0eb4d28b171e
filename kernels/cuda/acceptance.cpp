#include "kernels/cuda/acceptance.h"

#include <algorithm>

#include "kernels/cuda/arguments.h"
#include "kernels/phases.h"

namespace torchweld::cuda {
namespace {

// Phases of the longest norm or softmax there is, twice over.
constexpr int kMostPhases = 8;

bool refuse(const char* reason, std::string* why) {
  if (why != nullptr) *why = reason;
  return false;
}

}  // namespace

bool is_accepted(const KernelSpec& spec, std::string* why) {
  const auto has = [&](auto predicate) {
    return std::any_of(spec.body.begin(), spec.body.end(), predicate);
  };
  if (spec.rank < 1 || spec.rank > kMaxRank || spec.reduced < 0 || spec.reduced >= spec.rank + 1)
    return refuse("a kernel has 1 to 6 dimensions", why);
  if (spec.reduced == spec.rank)
    return refuse("a row kernel has at least one dimension that is kept", why);
  if (spec.loads.size() + spec.stores.size() > static_cast<size_t>(kMaxOperands))
    return refuse("a kernel has at most 24 operands", why);
  if (spec.stores.empty()) return refuse("a kernel stores something", why);
  if (has([](const Inst& i) { return i.prim == Prim::kParam && i.imm_int >= kMaxParams; }))
    return refuse("a kernel has at most 128 launch parameters", why);
  for (const OperandSpec& load : spec.loads) {
    if (load.dtype == DType::kOther) return refuse("an operand has a dtype of its own", why);
  }
  for (const StoreSpec& store : spec.stores) {
    if (store.operand.dtype == DType::kOther) return refuse("a result has a dtype of its own", why);
    if (store.accumulates && store.operand.dtype == DType::kBool)
      return refuse("bools cannot be accumulated", why);
  }
  if (spec.reduced == 0 && has([](const Inst& i) { return needs_row(i.prim); }))
    return refuse("a reduction needs rows", why);
  const Phases phases = phases_of(spec);
  if (phases.count > kMostPhases)
    return refuse("reductions of reductions, more than eight deep", why);
  for (const StoreSpec& store : spec.stores) {
    if (store.per_row && !phases.per_row[static_cast<size_t>(store.value)])
      return refuse("rows of one element are not told from their elements", why);
  }
  return true;
}

}  // namespace torchweld::cuda
