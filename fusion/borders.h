// Pads whose border is the image again: mirrored, its last pixel over and over, or its other end.
// What it is not: pads with a constant (indexed.h).
#pragma once

#include <string>

#include "fusion/indexed.h"

namespace torchweld {

/// The row of "aten::reflection_pad2d" or of "aten::pad", in its modes "reflect", "replicate" and
/// "circular"; null for other operators.
///
/// Numerics  elements pass unchanged.
const IndexedRow* find_border(const std::string& op);

}  // namespace torchweld
