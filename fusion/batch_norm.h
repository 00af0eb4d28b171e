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

/// Numerics as ATen's kernel: alpha = weight / sqrt(var + eps), beta = bias - mean * alpha.
Affine affine_of(const Node& node, Rewriter* r);

/// Its pointwise nodes.
std::vector<Node> batch_norm(Graph* graph, const Node& node);

}  // namespace torchweld
