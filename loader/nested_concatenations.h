// Concatenations of concatenations, which LibTorch's freezing makes one: at the later one's place,
// so that a piece which somebody writes to in between is read after that.
#pragma once

#include <string>

namespace torch::jit {
struct Graph;
struct Module;
}  // namespace torch::jit

namespace torchweld {

/// The module with something between nested concatenations of the method, which is inlined then;
/// the module itself if nothing in the method writes to a tensor or no concatenation is in another.
torch::jit::Module with_concatenations_apart(const torch::jit::Module& module,
                                             const std::string& method);

/// Removes from an inlined graph what stands between nested concatenations.
void join_concatenations(torch::jit::Graph* graph);

}  // namespace torchweld
