// Which nodes are pointwise, and their definitions as kernel bodies.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "kernels/body_builder.h"
#include "loader/graph.h"

namespace torchweld {

/// Appends a node's definition to a body. `value_of` gives the body value of a tensor argument.
/// nullopt when the op table can't express the call; `why` says the reason.
std::optional<int16_t> emit_node(BodyBuilder& body, const Graph& graph, const Node& node,
                                 const std::function<int16_t(ValueId)>& value_of, std::string* why);

/// The reason for operators that the table doesn't have.
inline constexpr const char* kNoKernel = "no kernel is written for it";

/// Whether a node can be a member of a fused kernel; otherwise `why` says the reason.
bool is_pointwise(const Graph& graph, const Node& node, std::string* why);

}  // namespace torchweld
