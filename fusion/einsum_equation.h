// What an einsum's equation says of each dim of its tensors.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "loader/graph.h"

namespace torchweld {

/// A letter for each dim, those that "..." stands for included, which have letters of their own.
/// An operand may have a letter twice, the result may not.
struct EinsumEquation {
  std::vector<std::string> operands;
  std::string result;

  std::string text() const;  ///< "bij,bjk->bik"
};

/// nullopt for other nodes, and for an equation that doesn't fit the tensors.
std::optional<EinsumEquation> equation_of(const Graph& graph, const Node& node);

}  // namespace torchweld
