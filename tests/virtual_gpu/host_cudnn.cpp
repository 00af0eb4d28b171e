#include "tests/virtual_gpu/host_cudnn.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/add.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/relu.h>
#include <torch/library.h>

namespace torchweld::virtual_gpu {
namespace {

using Ints = c10::IntArrayRef;

/// What LibTorch asks of the operands, which cuDNN would not say so plainly.
void check(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
  const bool has_bias = bias && bias->defined();
  TORCH_CHECK(x.dim() == 4 && weight.dim() == 4, "cuDNN's twin takes images");
  TORCH_CHECK(x.scalar_type() == weight.scalar_type() &&
                  (!has_bias || bias->scalar_type() == x.scalar_type()),
              "cuDNN's twin takes one dtype");
  TORCH_CHECK(!has_bias || (bias->dim() == 1 && bias->size(0) == weight.size(0)),
              "cuDNN's twin takes a number of bias a channel");
}

at::MemoryFormat format_of(const at::Tensor& x, const at::Tensor& weight) {
  const bool last = x.suggest_memory_format() == at::MemoryFormat::ChannelsLast ||
                    weight.suggest_memory_format() == at::MemoryFormat::ChannelsLast;
  return last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
}

at::Tensor convolved(const at::Tensor& x, const at::Tensor& weight,
                     const std::optional<at::Tensor>& bias, Ints stride, Ints padding,
                     Ints dilation, int64_t groups) {
  check(x, weight, bias);
  return at::convolution(x, weight, bias, stride, padding, dilation, /*transposed=*/false, {0, 0},
                         groups);
}

at::Tensor with_relu(const at::Tensor& x, const at::Tensor& weight,
                     const std::optional<at::Tensor>& bias, Ints stride, Ints padding,
                     Ints dilation, int64_t groups) {
  return convolved(x, weight, bias, stride, padding, dilation, groups)
      .relu()
      .contiguous(format_of(x, weight));
}

at::Tensor with_add_relu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& summand,
                         const std::optional<at::Scalar>& factor,
                         const std::optional<at::Tensor>& bias, Ints stride, Ints padding,
                         Ints dilation, int64_t groups) {
  const at::Tensor sums = convolved(x, weight, bias, stride, padding, dilation, groups);
  // cuDNN broadcasts nothing and converts nothing.
  TORCH_CHECK(summand.sizes() == sums.sizes() && summand.scalar_type() == sums.scalar_type(),
              "cuDNN's twin takes a summand of the result's shape and dtype");
  return at::add(sums, summand, factor.value_or(1)).relu().contiguous(format_of(x, weight));
}

}  // namespace

void register_host_cudnn() {
  // Never destroyed: plans of other statics may outlive everything here.
  static auto* const library = [] {
    auto* const aten =
        new torch::Library(torch::Library::IMPL, "aten", c10::DispatchKey::CPU, __FILE__, __LINE__);
    aten->impl("cudnn_convolution_relu", with_relu);
    aten->impl("cudnn_convolution_add_relu", with_add_relu);
    return aten;
  }();
  (void)library;
}

}  // namespace torchweld::virtual_gpu
