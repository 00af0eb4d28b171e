// Tensors made of memory.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Allocator.h>

#include "loader/graph.h"

namespace torchweld {

/// A tensor on the host that owns `memory`, which didn't come from LibTorch's allocator, of as many
/// bytes as its layout spans.
at::Tensor tensor_over(c10::DataPtr memory, size_t bytes, c10::IntArrayRef sizes,
                       c10::IntArrayRef strides, c10::ScalarType type);

/// A copy, with the strides of the tensor also where elements share memory, as expand() makes them.
at::Tensor own_copy(const at::Tensor& tensor);

/// A tensor over the storage of `base` as `v` shows it, whose offset counts from `bytes` on. Throws
/// Error (kOperatorFailed) where that is no place for elements of its size: floats seen as complex
/// numbers.
at::Tensor view_over(const at::Tensor& base, const Value& v, int64_t bytes);

}  // namespace torchweld
