// The planner's passes. Each lives in the file of its name.
#pragma once

#include <vector>

#include "fusion/domain.h"
#include "fusion/plan.h"
#include "fusion/planner.h"
#include "loader/graph.h"

namespace torchweld {

/// Nodes that become one step.
struct Group {
  std::vector<NodeId> nodes;  ///< in recorded order
  bool fuses = false;         ///< one kernel over `domain`
  bool indexed = false;       ///< a member reads its operands at other places
  Domain domain;
  std::string reason;  ///< why it doesn't fuse; empty when it does
};

/// In-place writes on values that nobody else can see become new values; the others stay, in their
/// order.
void functionalise(Graph* graph);

/// Views are metadata: nodes that only make views go away.
void drop_views(Graph* graph);

/// A concatenation of no more is a copy of each piece, which kernels make; on the host of more,
/// where a copy costs no launch.
inline constexpr size_t kMostCopiedPieces = 16, kMostPiecesOnHost = 128;

/// Composite operators become those that the planner knows: recurrent cells and layers as matmuls
/// and gates, norms as reductions where the target has rows.
void decompose(Graph* graph, const Target& target);

/// Identities removed (x+0, x*1, x*2*3, b+b, copies), common subexpressions shared.
void simplify(Graph* graph, const Target& target);

/// Pure nodes, and copies into the block's own memory, go away where nobody reads what they make.
void drop_dead(Graph* graph);

/// Partitions the nodes: pointwise ones and reductions grown greedily along producer-consumer
/// edges, the others alone. The groups come in an order in which each may run after those before
/// it.
std::vector<Group> group(const Graph& graph, const Target& target);

/// Steps for the groups; fused ones with their kernel specs.
void emit_steps(Graph* graph, const std::vector<Group>& groups, const Target& target, Plan* plan);

/// Chooses each storage's buffer and lays the arena out by liveness.
void place_buffers(Plan* plan, const Target& target);

/// Operands as buffers and offsets, once the buffers are placed.
void locate_operands(Plan* plan);

}  // namespace torchweld
