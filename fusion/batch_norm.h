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
/// mean * alpha by a fused multiply-add, as x * alpha + beta is.
/// Source   aten/src/ATen/native/cpu/batch_norm_kernel.cpp
Affine affine_of(const Graph& graph, const Node& node, Rewriter* r);

/// Its pointwise node.
std::vector<Node> batch_norm(Graph* graph, const Node& node);

}  // namespace torchweld
