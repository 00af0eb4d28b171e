// Whether tensors share memory.
#pragma once

#include <ATen/core/Tensor.h>

namespace torchweld {

/// Whether the ranges from first to last element meet; views that interleave count as well.
bool overlap(const at::Tensor& a, const at::Tensor& b);

}  // namespace torchweld
