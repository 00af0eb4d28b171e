// Attention as one step: the nodes that are it become one, which the device's kernel runs.
#pragma once

#include <string>

#include "fusion/plan.h"
#include "fusion/planner.h"
#include "loader/graph.h"

namespace torchweld {

/// What the pass writes. Arguments: q, k, v, mask or none, scale, is causal, the mask's value that
/// keeps a score, the score where it doesn't, whether a query without keys gives NaN, and the
/// result's strides by batch dims and row. The operands are views in the kernel's dims.
inline constexpr const char* kAttentionOp = "torchweld::attention";

/// Attention in every spelling becomes kAttentionOp nodes over views in the kernel's dims, where
/// the kernel takes them and LibTorch has none that is better. For targets with that kernel.
void recognise_attention(Graph* graph, const Target& target);

/// Fills `out` (but its locations) for a kAttentionOp node; false, and `why`, for shapes that the
/// kernel isn't written for.
bool make_attention(const Graph& graph, const Node& node, const Target& target, AttentionCall* out,
                    std::string* why);

/// "attention_2x8x128x128x64_f32_causal_mask": batch, heads, queries, keys, head size.
std::string name_of_step(const AttentionCall& call);

}  // namespace torchweld
