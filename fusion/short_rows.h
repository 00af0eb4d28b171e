// Sums of a few elements as additions, where rows lie across memory.
#pragma once

#include "fusion/plan.h"
#include "fusion/planner.h"

namespace torchweld {

/// Makes a pointwise kernel of one whose rows are sums of two to four elements that lie apart, if
/// what it reads and what it writes don't lie alike: the branches of a block whose channels are
/// innermost. Rows would be read element by element, pointwise kernels turn tiles. Sums keep their
/// order, from 0 on. What is read becomes a view a position of the row.
void unroll_short_rows(Graph* graph, const Target& target, Step* step);

}  // namespace torchweld
