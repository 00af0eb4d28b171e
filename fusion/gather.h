// Operators that read elements at places that tensors of integers name: embedding, index_select,
// gather, and an index of one tensor or several.
#pragma once

#include <optional>
#include <vector>

#include "loader/graph.h"

namespace torchweld {

/// A tensor that names places along a dim.
struct NamedDim {
  ValueId index = kNone;
  size_t dim = 0;                ///< of the tensor whose places are named
  std::vector<int64_t> strides;  ///< the index's, over the node's domain
};

/// A node that reads its source where indices say; the domain is its result.
struct Gather {
  ValueId source = kNone;
  std::vector<int64_t> source_strides;  ///< over the result, 0 where indices decide
  std::vector<NamedDim> named;
  bool wraps = false;  ///< negative indices count from the end
};

/// nullopt for other nodes, sources without elements, and indices that aren't int64 or int32.
std::optional<Gather> gather_of(const Graph& graph, const Node& node);

/// The named dims of a list of indices, over the domain of what `x[list]` is; nullopt when it has
/// none, or one that isn't of integers. `sizes` becomes the domain's and `strides` x's over it.
std::optional<std::vector<NamedDim>> named_by_list(const Graph& graph, const Value& x,
                                                   const Arg::TensorList& list,
                                                   std::vector<int64_t>* sizes,
                                                   std::vector<int64_t>* strides);

}  // namespace torchweld
