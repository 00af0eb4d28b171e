// Whether a plan's results are LibTorch's: compared on the recorded inputs with those of a plan in
// which every node is a step of LibTorch's own.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "engine/bound_plan.h"

namespace torchweld {

/// Whether results can be compared by torch.testing's tolerances: halves round too coarsely, and
/// what the caller wants in another precision differs on purpose.
bool has_tight_tolerances(const Graph& recorded, const Target& target);

/// The largest |expected - actual| of all elements in units of what torch.testing allows: at most 1
/// where assert_close passes, infinite for what can't be equal. Integers and bool have to be equal.
double distance(const at::Tensor& expected, const at::Tensor& actual);

/// What LibTorch's own steps make of a call: by values of the recording, which plans of all targets
/// share. `eager`: a plan in which every node is a step of LibTorch's own. Values past `most_bytes`
/// in all are left out.
std::map<ValueId, at::Tensor> values_of(const BoundPlan& eager,
                                        const std::vector<const at::Tensor*>& leaves,
                                        size_t most_bytes = SIZE_MAX);

/// The key in values_of() of what a plan's value holds, in whatever layout; kNone if there is none.
ValueId recorded_value(const Plan& plan, ValueId id);

/// LibTorch's results of one call of a block, and the plans that are compared with them.
class Agreement {
 public:
  /// Runs `eager`. Both arguments have to outlive this.
  Agreement(const BoundPlan& eager, const std::vector<const at::Tensor*>& leaves);

  /// Whether a plan's results are well within the tolerances, so that they are on other inputs,
  /// too; or LibTorch's own are not the same every time, as what reads memory that nobody wrote.
  bool holds(const BoundPlan& plan) const;

  /// Of each step, how far what it makes of LibTorch's values is from what LibTorch makes of them.
  /// A step whose results LibTorch has not shares the distance of the next that can be compared.
  std::vector<double> step_distances(const BoundPlan& plan) const;

 private:
  struct Results {
    std::vector<at::Tensor> tensors;
    std::vector<c10::IValue> numbers;
  };

  Results results_of(const BoundPlan& plan) const;
  double distance_to(const Results& actual) const;

  const BoundPlan& eager_;
  const std::vector<const at::Tensor*>& leaves_;
  Results expected_;
  mutable std::optional<bool> reproducible_;  // found out once something differs
};

}  // namespace torchweld
