// What ATen's operators that resize images say, whoever runs them.
#pragma once

#include <optional>
#include <vector>

#include "kernels/x86/resize_taps.h"
#include "loader/graph.h"

namespace torchweld {

/// One of ATen's schemas: upsample_linear1d, _upsample_bicubic2d_aa.vec and so on.
struct ResizeNode {
  x86::ResizeFilter filter = x86::ResizeFilter::kNearest;
  bool antialiases = false;
  size_t dims = 0;
  bool aligns = false;         ///< corners stand on corners
  std::vector<double> scales;  ///< by dim; 0: the quotient of the sizes

  bool interpolates() const {
    return filter == x86::ResizeFilter::kLinear || filter == x86::ResizeFilter::kCubic;
  }
};

std::optional<ResizeNode> resize_of(const Node& node);

}  // namespace torchweld
