// Twins on the host of LibTorch's cuDNN operators that it has for CUDA alone.
#pragma once

namespace torchweld::virtual_gpu {

/// Registers them, once a process: aten::cudnn_convolution_relu and cudnn_convolution_add_relu for
/// tensors of the host.
///
/// Layout    the result is channels-last where the image or the weights are, as cuDNN's.
/// Numerics  LibTorch's convolution, sum and relu on the host, each rounded; NaN stays.
void register_host_cudnn();

}  // namespace torchweld::virtual_gpu
