// Forked calls, taken in where they are made: threads are the caller's here.
#pragma once

#include <memory>

namespace torch::jit {
struct Graph;
}  // namespace torch::jit

namespace torchweld {

/// Takes forked calls in, and makes futures the values that they stand for, those that lists,
/// tuples and dicts hold as well. LibTorch's own pass leaves these behind with a type that nothing
/// fits. Futures of the arguments stay.
void inline_forks(const std::shared_ptr<torch::jit::Graph>& graph);

}  // namespace torchweld
