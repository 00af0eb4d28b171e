// Attention as models write it: which nodes are softmax(q k' * scale + mask) v.
#pragma once

#include <optional>
#include <vector>

#include "fusion/matrix_stack.h"
#include "fusion/uses.h"
#include "loader/graph.h"

namespace torchweld {

/// What is added to scores, or chooses among them: broadcasts to `sizes`, the scores' own.
struct ScoreMask {
  ValueId id = kNone;
  Sizes sizes;
};

/// One attention. The stacks' batch dims are those of the products they are operands of.
struct AttentionParts {
  MatrixStack q, k, v, out;      ///< k [keys, head_size]
  std::vector<ScoreMask> added;  ///< float masks
  std::optional<ScoreMask> chosen;
  bool chosen_keeps = true;  ///< which value of the bool mask lets a key take part
  double masked_score = 0;   ///< of the keys that don't
  bool causal = false;
  double scale = 1;
  bool empty_is_nan = false;  ///< the result of a query that may see no key; else 0
};

/// aten::scaled_dot_product_attention in evaluation mode.
std::optional<AttentionParts> sdpa_parts(const Graph& graph, const Node& node);

/// Attention written out as two products around the softmax `node`, and the second product's place
/// in the graph. Nothing but these nodes reads what lies between them.
///
/// Forms  matmul, bmm or baddbmm; scaled by mul or div before or after the first product; masked by
///        add, masked_fill or where; casts to f32 around the softmax.
std::optional<AttentionParts> written_out_parts(const Graph& graph, const Uses& uses,
                                                NodeId softmax, NodeId* product);

}  // namespace torchweld
