// x[mask] = number, which exports spell as index_put with a mask, is masked_fill: pointwise.
#pragma once

#include "loader/graph.h"

namespace torchweld {

/// Renames index_put of one mask and one number that is not added. Before functionalise(), which
/// knows pointwise writes.
void name_masked_writes(Graph* graph);

}  // namespace torchweld
