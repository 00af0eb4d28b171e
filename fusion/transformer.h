// Transformer layers that TorchScript records as one operator, as what they are made of.
#pragma once

#include "fusion/planner.h"
#include "loader/graph.h"

namespace torchweld {

/// `_transformer_encoder_layer_fwd`, and `_native_multi_head_attention` of one sequence whose
/// weights nobody reads, become products, norms, activations and a kAttentionOp node
/// (fusion/attention.h), for targets with the kernel for attention and shapes that it takes. On
/// CUDA halves stay LibTorch's, whose attention uses tensor cores. On the host, where hand-written
/// kernels run, LibTorch's scaled_dot_product_attention stands for shapes that the kernel doesn't
/// take, unless there is a mask; weights that are read, in float32, make it products and a softmax.
void expand_transformers(Graph* graph, const Target& target);

}  // namespace torchweld
