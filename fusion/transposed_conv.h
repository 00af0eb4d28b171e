// Transposed convolutions as the host's own kernel takes them.
#pragma once

#include <optional>

#include "fusion/conv_args.h"
#include "fusion/rewriter.h"

namespace torchweld {

/// Of conv_transpose1d to 3d, _convolution, convolution and kTransposedConv; nullopt for other
/// nodes. Dilations are 1 where the node is a kTransposedConv.
std::optional<ConvArgs> transposed_args(const Graph& graph, const Node& node);

/// Whether the kernel takes it: one group, no dilation, a filter [in_channels, out_channels,
/// pixels...] that is no smaller than its stride, and padding that is less than the filter. Where
/// the stride doesn't divide the filter, of not too many phases.
bool takes_transposed_conv(const Value& weight, const ConvArgs& args);

/// Setup nodes that order the weight as the kernel packs it: [phases of each dim, taps of a phase
/// of each dim, in_channels, out_channels], from the filter's last on. Phases of unequal size
/// follow each other in the same order, as [1..., taps of each dim, in_channels, out_channels].
ValueId ordered_by_phase(ValueId weight, const ConvArgs& args, Graph* graph, Rewriter* r);

/// A value of the sizes [in_channels, out_channels, pixels...] that a kTransposedConv's filter has.
Value filter_of(const Graph& graph, const Node& node);

}  // namespace torchweld
