// Weights that nothing writes, where LibTorch's freezing keeps them as attributes: to its analysis
// of aliases what is in a list may be what is in any other, and those of recurrent layers are in
// lists, and so are the pieces of attention's. A traced cell beside them, which writes to parts of
// its gates, is enough.
#pragma once

namespace torch::jit {
struct Graph;
struct Module;
}  // namespace torch::jit

namespace torchweld {

/// Lets the inlined graph of a method of `module` read as constants what operators read alone,
/// themselves, as views and pieces, or in a list for a recurrent layer, if no other attribute
/// shares its memory.
void make_read_weights_constant(torch::jit::Graph* graph, const torch::jit::Module& module);

}  // namespace torchweld
