// Operators that write elements to places that a tensor names: scatter, index_add, index_put and
// the like. In a kernel they are stores with offsets and predicates; the kernel's domain is what
// the index names, not the tensor that is written.
#pragma once

#include <optional>
#include <vector>

#include "fusion/gather.h"
#include "fusion/indexed.h"
#include "kernels/by_index.h"

namespace torchweld {

/// A node that writes to its first argument where indices say.
///
/// Strides  over `sizes`; the target's are 0 where indices decide.
struct Scatter {
  ValueId target = kNone;
  ValueId source = kNone;  ///< kNone: a number is written
  double number = 0, factor = 1;
  std::vector<int64_t> sizes;  ///< the domain
  std::vector<int64_t> target_strides, source_strides;
  std::vector<NamedDim> named;
  ByIndex how = ByIndex::kWrite;
  bool wraps = false;  ///< negative indices count from the end

  bool accumulates() const { return how != ByIndex::kWrite; }
};

/// The in-place operators; nullopt for other nodes, and where an operand shares the memory that is
/// written or has another dtype.
std::optional<Scatter> scatter_of(const Graph& graph, const Node& node);

/// Those in a form that generated kernels take.
///
/// Order    of several writes to one place there is none, as with ATen's CUDA kernels: sums are
///          atomic, so those of floats round in any order, and of plain stores one wins.
std::optional<Scatter> kernel_scatter(const Graph& graph, const Node& node);

/// Why none of their kernels takes a node that writes where indices say; empty for other nodes.
std::string why_no_scatter(const Graph& graph, const Node& node);

/// What a scatter stores, and where.
struct ScatteredValue {
  int16_t value = -1, offset = -1, predicate = -1;
};

/// Appends the definition. An index out of range writes nothing, where LibTorch raises on the host
/// and asserts on a device.
ScatteredValue emit_scatter(const Graph& graph, const Scatter& scatter, IndexedKernel* kernel);

/// The copy and the write, whatever the operator; nullopt where these can't be.
std::optional<std::vector<Node>> copy_and_write(Graph* graph, const Node& node);

/// A functional twin as a copy of its first argument and the in-place operator on that; nullopt for
/// other nodes.
std::optional<std::vector<Node>> written_copy(Graph* graph, const Node& node);

/// The same where generated kernels take the operator.
std::optional<std::vector<Node>> scatter_nodes(Graph* graph, const Node& node);

}  // namespace torchweld
