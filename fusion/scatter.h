// Operators that write elements to places that a tensor names: scatter, index_add, index_put and
// the like. In a kernel they are stores with offsets and predicates; the kernel's domain is what
// the index names, not the tensor that is written.
#pragma once

#include <optional>
#include <vector>

#include "fusion/indexed.h"

namespace torchweld {

/// A node that writes to its first argument along one dim of it.
///
/// Strides  over `sizes`; the target's are 0 where the index decides.
/// Order    of several writes to one place there is none, as with ATen's CUDA kernels: sums are
///          atomic, so those of floats round in any order, and of plain stores one wins.
struct Scatter {
  ValueId target = kNone, index = kNone;
  ValueId source = kNone;  ///< kNone: a number is written
  double number = 0, factor = 1;
  size_t dim = 0;              ///< of the target
  std::vector<int64_t> sizes;  ///< the domain
  std::vector<int64_t> target_strides, index_strides, source_strides;
  bool accumulates = false;
  bool wraps = false;  ///< negative indices count from the end
};

/// The in-place operators in a form that kernels take; nullopt for other nodes.
std::optional<Scatter> scatter_of(const Graph& graph, const Node& node);

/// What a scatter stores, and where.
struct ScatteredValue {
  int16_t value = -1, offset = -1, predicate = -1;
};

/// Appends the definition. An index out of range writes nothing, where LibTorch raises on the host
/// and asserts on a device.
ScatteredValue emit_scatter(const Graph& graph, const Scatter& scatter, IndexedKernel* kernel);

/// A functional twin as a copy of its first argument and the in-place operator on that; nullopt for
/// other nodes.
std::optional<std::vector<Node>> scatter_nodes(Graph* graph, const Node& node);

}  // namespace torchweld
