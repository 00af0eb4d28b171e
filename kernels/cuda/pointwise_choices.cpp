// Choices among the skeletons without rows.
#include <algorithm>

#include "kernels/cuda/choices.h"
#include "kernels/cuda/vector_width.h"

namespace torchweld::cuda {
namespace {

constexpr int kMostTiles = 4;      // of 8.4 KB each at most; a block has 48 KB without asking
constexpr int64_t kHalfTile = 16;  // shorter dims would leave most of a tile empty

/// The dim along which the most plain loads are contiguous while they stride along the innermost;
/// -1: none.
int transposed_dim(const Problem& problem, int* loads) {
  int best = -1;
  for (int d = 0; d < problem.last; ++d) {
    int count = 0;
    for (size_t i = 0; i < problem.spec.loads.size(); ++i) {
      const auto& strides = problem.spec.loads[i].strides;
      const bool is_read =
          std::any_of(problem.spec.body.begin(), problem.spec.body.end(), [&](const Inst& inst) {
            return is_plain_load(inst) && static_cast<size_t>(inst.operand) == i;
          });
      count += is_read && strides[static_cast<size_t>(problem.last)] == StrideClass::kAny &&
               strides[static_cast<size_t>(d)] == StrideClass::kOne;
    }
    if (count > *loads) {
      *loads = count;
      best = d;
    }
  }
  return best;
}

}  // namespace

Fit choose_pointwise(const Problem& problem, Schedule* schedule) {
  if (problem.spec.reduced > 0) return Fit::kNone;
  schedule->vector = vector_width(problem);
  return Fit::kBest;
}

Fit choose_transpose(const Problem& problem, Schedule* schedule) {
  if (problem.spec.reduced > 0) return Fit::kNone;
  int loads = 0;
  schedule->across = transposed_dim(problem, &loads);
  if (schedule->across < 0 || loads > kMostTiles) return Fit::kNone;
  const auto last = static_cast<size_t>(problem.last);
  const bool stores_along = std::any_of(
      problem.spec.stores.begin(), problem.spec.stores.end(),
      [&](const StoreSpec& store) { return store.operand.strides[last] == StrideClass::kOne; });
  const int64_t shorter = std::min(problem.geometry.sizes[last],
                                   problem.geometry.sizes[static_cast<size_t>(schedule->across)]);
  return stores_along && shorter >= kHalfTile ? Fit::kBest : Fit::kPossible;
}

}  // namespace torchweld::cuda
