// Padding that a convolution names, as numbers.
#pragma once

#include "loader/graph.h"

namespace torchweld {

/// Convolutions with padding "valid" or "same" become those with numbers, which the passes behind
/// know. "same" that pads one side more than the other stays: LibTorch copies the image for it.
void number_paddings(Graph* graph);

}  // namespace torchweld
