// The primitive nodes that LibTorch keeps inside its interpreter: building and taking apart tuples,
// lists, dicts.
#pragma once

#include <ATen/core/ivalue.h>

#include <vector>

#include "loader/code.h"

namespace torchweld {

/// Runs a node that only moves values around. `inputs` in the node's order; the results, one for
/// each output. Throws  Error kOperatorFailed when the shape of the values doesn't fit, as
/// LibTorch's interpreter would.
std::vector<c10::IValue> run_prim(const CodeNode& node, std::vector<c10::IValue> inputs);

}  // namespace torchweld
