// Which nodes a kernel can compute, and how they lie in its loop nest.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fusion/domain.h"
#include "fusion/planner.h"
#include "fusion/reduction.h"
#include "loader/graph.h"

namespace torchweld {

/// A node as a member of a kernel.
struct Member {
  Domain domain;                       ///< of the node alone
  std::optional<Reduction> reduction;  ///< set for reductions
  bool indexed = false;                ///< reads its operands at other places
  bool scatters = false;               ///< and writes at other places; with neither it is pointwise
};

/// nullopt, and `why`, for nodes that no kernel computes.
std::optional<Member> member_of(const Graph& graph, const Node& node, const Target& target,
                                std::string* why);

/// What a member makes: its output, or what it writes in place.
inline ValueId result_of(const Node& node) {
  return node.writes.empty() ? node.outputs[0] : node.writes[0];
}

/// How one value that a group's node makes lies in the group's domain.
std::vector<int64_t> strides_of_result(const Graph& graph, const Domain& domain, const Node& node);

/// And how one that it reads does.
std::vector<int64_t> strides_of_operand(const Graph& graph, const Domain& domain, const Node& node,
                                        ValueId operand, bool reduces);

}  // namespace torchweld
