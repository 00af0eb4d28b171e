// Runs graphs and plans on int64 tensors in plain C++: what the planner's output is compared by.
//
// A graph is walked node by node, as it was recorded. A plan runs step by step in its own buffers:
// fused steps by the reference backend, with the arena full of rubbish to begin with.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fusion/plan.h"

namespace torchweld::testing {

/// The elements of each storage.
using Memory = std::vector<std::vector<int64_t>>;

/// What a run gives back.
struct Outcome {
  std::vector<std::vector<int64_t>> outputs;  ///< elements in row-major order
  std::vector<std::vector<int64_t>> inputs;   ///< storages of the inputs afterwards
  bool operator==(const Outcome&) const = default;
};

/// The recorded graph, one node after the other.
Outcome walk(const Graph& graph);

/// The plan of such a graph.
Outcome walk(const Plan& plan);

}  // namespace torchweld::testing
