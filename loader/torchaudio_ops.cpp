#include "loader/torchaudio_ops.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/conv1d.h>
#include <ATen/ops/zeros.h>

#include <mutex>

#include "kernels/recursive_filter.h"
#include "loader/dtypes.h"
#include "loader/register_operator.h"

namespace torchweld {
namespace {

using torch::jit::Stack;

void check_operand(const char* name, const at::Tensor& x, const at::Tensor& waveform,
                   int64_t dims) {
  TORCH_CHECK(x.is_cpu(), "torchaudio::", name, ": no kernel for ", x.device(),
              "; load torchaudio's own library for it");
  TORCH_CHECK(x.scalar_type() == waveform.scalar_type(), "torchaudio::", name,
              ": expected tensors of one element type, got ", waveform.scalar_type(), " and ",
              x.scalar_type());
  const at::ScalarType type = x.scalar_type();
  TORCH_CHECK(type == at::kFloat || type == at::kDouble, "torchaudio::", name,
              ": not implemented for ", type);
  TORCH_CHECK(x.dim() == dims, "torchaudio::", name, ": expected a tensor of ", dims,
              " dimensions, got ", x.sizes());
}

/// Writes `out`, [batch, channels, samples + order - 1].
void feed_back(const at::Tensor& waveform, const at::Tensor& coefficients, const at::Tensor& out) {
  constexpr const char* kName = "_lfilter_core_loop";
  check_operand(kName, waveform, waveform, 3);
  check_operand(kName, coefficients, waveform, 2);
  check_operand(kName, out, waveform, 3);
  const RecursiveFilterShape shape{dtype_of(waveform.scalar_type()), waveform.size(0),
                                   waveform.size(1), waveform.size(2), coefficients.size(1)};
  TORCH_CHECK(shape.order > 0 && coefficients.size(0) == shape.channels, "torchaudio::", kName,
              ": expected coefficients for ", shape.channels, " channels, got ",
              coefficients.sizes());
  TORCH_CHECK(out.size(0) == shape.batch && out.size(1) == shape.channels &&
                  out.size(2) == shape.samples + shape.order - 1 && out.is_contiguous(),
              "torchaudio::", kName, ": expected a dense result of shape [", shape.batch, ", ",
              shape.channels, ", ", shape.samples + shape.order - 1, "], got ", out.sizes());
  const at::Tensor x = waveform.contiguous(), a = coefficients.contiguous();
  run_recursive_filter(shape, {x.const_data_ptr(), a.const_data_ptr(), out.mutable_data_ptr()},
                       [](int64_t count, int64_t grain, const auto& work) {
                         at::parallel_for(0, count, grain, work);
                       });
}

at::Tensor lfilter(const at::Tensor& waveform, const at::Tensor& a, const at::Tensor& b) {
  check_operand("_lfilter", waveform, waveform, 3);
  check_operand("_lfilter", a, waveform, 2);
  TORCH_CHECK(a.sizes() == b.sizes() && a.size(1) > 0, "torchaudio::_lfilter: expected ",
              "coefficients of one shape, got ", a.sizes(), " and ", b.sizes());
  const int64_t order = a.size(1), channels = a.size(0);
  const at::Tensor scale = a.narrow(1, 0, 1);
  const auto flipped = [&](const at::Tensor& x) { return (x / scale).flip(1).contiguous(); };
  const at::Tensor fed =
      at::conv1d(at::constant_pad_nd(waveform, {order - 1, 0}), flipped(b).unsqueeze(1), {},
                 at::IntArrayRef({1}), at::IntArrayRef({0}), at::IntArrayRef({1}), channels);
  const at::Tensor out = at::zeros(
      {waveform.size(0), waveform.size(1), waveform.size(2) + order - 1}, waveform.options());
  feed_back(fed, flipped(a), out);
  return out.narrow(2, order - 1, waveform.size(2));
}

void call_core_loop(Stack& stack) {
  const auto argument = [&](size_t i) { return torch::jit::peek(stack, i, 3).toTensor(); };
  at::Tensor out = argument(2);
  feed_back(argument(0), argument(1), out);
  torch::jit::drop(stack, 3);
  torch::jit::push(stack, std::move(out));
}

void call_lfilter(Stack& stack) {
  const auto argument = [&](size_t i) { return torch::jit::peek(stack, i, 3).toTensor(); };
  at::Tensor result = lfilter(argument(0), argument(1), argument(2));
  torch::jit::drop(stack, 3);
  torch::jit::push(stack, std::move(result));
}

}  // namespace

void register_torchaudio_operators() {
  static std::once_flag once;
  std::call_once(once, [] {
    register_if_missing(
        "torchaudio::_lfilter_core_loop(Tensor input_signal_windows, Tensor a_coeff_flipped, "
        "Tensor(a!) padded_output_waveform) -> Tensor(a!)",
        call_core_loop);
    register_if_missing(
        "torchaudio::_lfilter(Tensor waveform, Tensor a_coeffs, Tensor b_coeffs) -> Tensor",
        call_lfilter);
  });
}

}  // namespace torchweld
