// What a recorder hands over: the graph and all that it needs from LibTorch to be run.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "loader/graph.h"
#include "loader/machine.h"
#include "loader/pattern.h"

namespace torchweld {

/// One block recorded for one signature.
struct Recording {
  Graph graph;
  std::vector<at::Tensor>
      constants;  ///< by constant number: a tensor that starts where the constant's value does
  std::vector<c10::IValue> opaques;  ///< by Arg::Opaque::index
  Pattern inputs;                    ///< the signature; leaves are graph.inputs
  Pattern outputs;  ///< results, or the environment of `next`; leaves are graph.outputs
  Pattern state;    ///< values of `state_slots` when the block ends; same leaves, and containers of
                    ///< `outputs`, which is filled before
  std::vector<int> state_slots;  ///< state that the block changed
  std::optional<Place> next;     ///< where the call goes on; nullopt when the method returned
  std::vector<std::pair<int, int>> same_inputs;  ///< leaves that were one tensor
  std::vector<int> written_inputs;               ///< leaves that no other may overlap
  std::string ended_by;                          ///< operator that ended the block early
};

}  // namespace torchweld
