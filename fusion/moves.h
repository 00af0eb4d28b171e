// Operators that move elements by a rule, or choose among them by their place: flip, roll, repeat,
// one_hot, triu, slice_scatter, fills. One table row an operator.
// What it is not: gathers and scatters, whose places are data (indexed.h, scatter.h).
#pragma once

#include <string>

#include "fusion/indexed.h"

namespace torchweld {

/// The row of "aten::flip"; null for other operators.
///
/// Numerics  elements pass unchanged, NaN and the sign of zero too.
const IndexedRow* find_move(const std::string& op);

}  // namespace torchweld
