// Tensors on the host over memory that didn't come from LibTorch's allocator.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Allocator.h>

namespace torchweld {

/// A tensor that owns `memory`, of as many bytes as its layout spans.
at::Tensor tensor_over(c10::DataPtr memory, size_t bytes, c10::IntArrayRef sizes,
                       c10::IntArrayRef strides, c10::ScalarType type);

}  // namespace torchweld
