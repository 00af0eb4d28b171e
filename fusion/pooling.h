// Pooling as a reduction of windows.
#pragma once

#include <optional>
#include <vector>

#include "fusion/domain.h"
#include "fusion/indexed.h"

namespace torchweld {

/// Shapes   `domain` is the result's dims and then the window's, which are the row. Element (o, k)
///          of a window dim reads the source at o * step + k * spread - before, or, where the step
///          is kUneven, k after the place that adaptive pooling begins at.
struct Pooling {
  static constexpr int64_t kUneven = 0;
  ValueId source = kNone;
  Domain domain;
  bool averages = false;       ///< else the largest
  ValueId largest = kNone;     ///< where set, the result is the largest's places, not its values
  bool counts_padding = true;  ///< divide by the window's size, not by what lies inside
  bool by_steps = true;        ///< not adaptive with two lengths or maxima, not with ceil_mode
  double divisor = 0;          ///< 0: as counts_padding says
  std::vector<int64_t> steps, spreads, before;  ///< by window dim
};

/// max_pool1d to 3d, avg_pool1d to 3d, and adaptive pooling. A window may reach past the end.
std::optional<Pooling> pooling_of(const Graph& graph, const Node& node);

/// The argument of a node that makes places of maxima which is the maxima, read at the element's
/// own place; nullopt for other nodes.
std::optional<size_t> argument_of_maxima(const Node& node);

/// Maximum pooling of signals and images with indices as two nodes, which one kernel computes.
std::optional<std::vector<Node>> maxima_and_places(Graph* graph, const Node& node);

int16_t emit_pooling(const Graph& graph, const Pooling& pooling, IndexedKernel* kernel);

}  // namespace torchweld
