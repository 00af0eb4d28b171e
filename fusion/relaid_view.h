// Views of an image's memory once that has its channels innermost.
#pragma once

#include <optional>

#include "loader/graph.h"

namespace torchweld {

/// What `view` shows of `recorded`, as a view of `relaid`, which holds the same image.
///
/// Shapes   the image is [N, C, pixels...]; `recorded` is contiguous, `relaid` has its channels
///          innermost. Each dim of the view has to run through images, channels or pixels alone:
///          nullopt for a flattened image.
std::optional<Value> relaid_view(const Value& view, const Value& recorded, const Value& relaid);

}  // namespace torchweld
