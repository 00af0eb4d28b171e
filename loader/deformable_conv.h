// torchvision's deform_conv2d, for processes where torchvision's own library isn't loaded. Its
// kernel on the host: kernels/deform_columns.h.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>

namespace torchweld {

/// Pairs are (down, across).
struct DeformOptions {
  std::array<int64_t, 2> stride{1, 1}, padding{}, dilation{1, 1};
  int64_t groups = 1, offset_groups = 1;
};

/// Without a mask: an undefined tensor.
struct DeformOperands {
  at::Tensor input, weight, offset, mask, bias;
};

/// The convolution, for inference.
///
/// Shapes    input [N, C, H, W], weight [K, C / groups, h, w], offset [N, 2 * offset_groups * h *
/// w,
///           Ho, Wo], mask [N, offset_groups * h * w, Ho, Wo], bias [K]; result [N, K, Ho, Wo]
/// Numerics  float32, float64 and float16, by torchvision's operations in their order up to the
///           products, which are LibTorch's
/// Devices   the host; any other by LibTorch's operators, so that none needs kernels of its own.
///           There a place at NaN reads 0.
/// Throws    c10::Error where torchvision does
/// Source    torchvision/csrc/ops/cpu/deform_conv2d_kernel.cpp
at::Tensor deform_conv2d(const DeformOperands& operands, const DeformOptions& options);

/// What a device runs, of operands anywhere that deform_conv2d takes.
at::Tensor deform_conv2d_by_operators(const DeformOperands& operands, const DeformOptions& options);

void register_deform_conv2d();

}  // namespace torchweld
