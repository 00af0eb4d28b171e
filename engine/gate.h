// The measured gate: a plan's results are compared with those of LibTorch's own steps on the device
// at hand, its stretches are timed against them, and the faster way that gives the same answer
// stays.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/bound_plan.h"
#include "kernels/cuda/disk_cache.h"

namespace torchweld {

class Agreement;

/// Every node of a recording, for Target::whole: a plan of LibTorch's own steps alone.
std::map<NodeId, Whole> all_nodes(const Graph& recorded, Whole why = Whole::kFaster);

/// Whether a recording may be run again at will: it draws no random numbers and writes no inputs.
bool may_be_repeated(const Recording& recording);

/// Whether the stretches that a plan keeps save so much of a call of LibTorch's steps that a slower
/// whole call is noise: the least of a few long calls meets the rest of the machine more often than
/// the least of a short stretch.
bool saves_clearly(const std::vector<Stretch>& stretches, double call_us);

/// Makes plans and measures them; safe from any thread. Verdicts are kept on disk, so that a
/// recording is measured once on a machine.
class Gate {
 public:
  Gate(std::shared_ptr<const Runtime> runtime, SetupResults* setup_results);

  /// The faster plan for a recording of a call with `values` of those whose results on them are
  /// well within torch.testing's tolerances of LibTorch's, and what was measured. A recording that
  /// can't be repeated gets the planner's plan, unmeasured.
  std::unique_ptr<BoundPlan> choose(const Recording& recording,
                                    const std::vector<c10::IValue>& values,
                                    const Target& asked) const;

 private:
  using Leaves = std::vector<const at::Tensor*>;

  std::unique_ptr<BoundPlan> make(const Recording& recording, const Target& target,
                                  std::map<NodeId, Whole> whole) const;
  std::unique_ptr<BoundPlan> measure(const Recording& recording, const Leaves& leaves,
                                     const Target& target, std::unique_ptr<BoundPlan> planned,
                                     std::unique_ptr<BoundPlan> eager,
                                     const Agreement* agreement) const;
  void leave_what_rounds(const Recording& recording, const Target& target, const BoundPlan& planned,
                         const Agreement& agreement, std::vector<Stretch>* stretches) const;

  std::shared_ptr<const Runtime> runtime_;
  SetupResults* setup_results_;
  cuda::DiskCache cache_{cuda::CacheOptions{}};
};

}  // namespace torchweld
