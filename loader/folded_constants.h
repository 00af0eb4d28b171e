// What LibTorch's passes computed ahead of the first call: a tensor that a call hands out must be a
// fresh one each time.
#pragma once

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>

#include <memory>
#include <string>
#include <unordered_set>

namespace torchweld {

/// The memory that an archive came with: parameters, buffers and the constants of its code.
///
/// LibTorch shares it with the caller when a method returns it, and so do we.
std::unordered_set<const void*> archived_memory(const torch::jit::Module& module,
                                                const std::string& method);

/// Puts a clone behind each constant tensor of other memory, so that the graph makes it anew as the
/// archive's code did. A recording folds the clone again, and a plan copies it where it leaves.
void renew_folded_constants(torch::jit::Graph* graph,
                            const std::unordered_set<const void*>& archived);

}  // namespace torchweld
