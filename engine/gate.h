// The measured gate: a plan's stretches are timed against LibTorch's own steps on the device at
// hand, and the faster of the two stays.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/bound_plan.h"
#include "kernels/cuda/disk_cache.h"

namespace torchweld {

/// Every node of a recording, for Target::whole: a plan of LibTorch's own steps alone.
std::set<NodeId> all_nodes(const Graph& recorded);

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

  /// The faster plan for a recording of a call with `values`, and what was measured. A recording
  /// that can't be repeated gets the planner's plan, unmeasured.
  std::unique_ptr<BoundPlan> choose(const Recording& recording,
                                    const std::vector<c10::IValue>& values,
                                    const Target& target) const;

 private:
  std::unique_ptr<BoundPlan> make(const Recording& recording, const Target& target,
                                  std::set<NodeId> whole) const;
  std::unique_ptr<BoundPlan> measure(const Recording& recording,
                                     const std::vector<const at::Tensor*>& leaves,
                                     const Target& target,
                                     std::unique_ptr<BoundPlan> planned) const;

  std::shared_ptr<const Runtime> runtime_;
  SetupResults* setup_results_;
  cuda::DiskCache cache_{cuda::CacheOptions{}};
};

}  // namespace torchweld
