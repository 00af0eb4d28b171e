// Batch norm in evaluation mode is x * alpha + beta by channel, with alpha and beta known once the
// weights are.
#pragma once

#include <vector>

#include "fusion/rewriter.h"
#include "loader/graph.h"

namespace torchweld {

/// Statistics and weights are constants and the mode is evaluation.
bool is_plain_batch_norm(const Graph& graph, const Node& node);

struct Affine {
  ValueId alpha = kNone, beta = kNone;  ///< [channels], made by setup nodes
};

/// Numerics bit by bit those of ATen's kernel: alpha = 1 / sqrt(var + eps) * weight, beta = bias -
/// mean * alpha by a fused multiply-add, as x * alpha + beta is. Of halves all of it is float32,
/// rounded once.
/// Source   aten/src/ATen/native/cpu/batch_norm_kernel.cpp
Affine affine_of(const Graph& graph, const Node& node, Rewriter* r);

/// A convolution's weights [out_channels, ...] with the factor of the norm after it in them, by a
/// setup node.
ValueId scaled_weight(Graph* graph, ValueId weight, const Affine& norm, Rewriter* r);

/// And its bias, or kNone, with what the norm adds.
ValueId folded_bias(ValueId bias, const Affine& norm, Rewriter* r);

/// Its pointwise node; of halves with casts around it.
std::vector<Node> batch_norm(Graph* graph, const Node& node);

}  // namespace torchweld
