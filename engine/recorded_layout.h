// Results of LibTorch's steps against what the recording says of them.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "loader/graph.h"

namespace torchweld {

/// The tensor, with the recorded strides where strides say nothing: in dims of one element, whose
/// strides an operator and its form in place choose differently. Nullopt when its sizes or its
/// other strides aren't the recorded ones.
std::optional<at::Tensor> as_recorded(const at::Tensor& tensor, const Value& recorded);

}  // namespace torchweld
