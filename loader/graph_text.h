// A graph as text and back: what golden tests compare and `explain` shows.
//
//   graph(%0: f32[3,4], %1: f32[4]):
//     %2: f32[4,4] = constant(0)
//     setup %5: f32[4] = aten::sqrt(%1)
//     %3: f32[3,4] = aten::linear(%0, %2, %1)  # code/__torch__/model.py:12
//     %4: f32[4,3]{1,4} @%3 = aten::t(%3)
//     %3 <- aten::relu_(%3)
//     return %4
//
// A value shows its strides in braces unless it is contiguous, and `@%3+8` when it lies in the
// storage of an earlier value, 8 elements in; `setup` marks a node that runs once; `is 2.0` is the
// value of a constant of one element. `%3 <-` names the values that a node writes in place.
#pragma once

#include <string>
#include <string_view>

#include "loader/graph.h"

namespace torchweld {

std::string to_text(const Graph& graph);

/// One node as a line, without the indentation.
std::string to_text(const Graph& graph, const Node& node);

/// "%3: f32[4,3]{1,4}", without its storage.
std::string describe(const Graph& graph, ValueId value);

/// The inverse of to_text. Throws Error kBadText with the line and what was expected.
Graph parse_graph(std::string_view text);

}  // namespace torchweld
