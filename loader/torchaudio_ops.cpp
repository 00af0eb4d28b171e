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

/// One channel of overdrive: a high pass over `shaped`, which is as long as the waveform, is added
/// to that. The states go on from call to call. Factors are doubles for any type, as torchaudio's.
template <class Sample>
void overdrive(const Sample* waveform, const Sample* shaped, int64_t samples, Sample* last_in,
               Sample* last_out, Sample* out) {
  for (int64_t t = 0; t < samples; ++t) {
    *last_out = static_cast<Sample>(shaped[t] - *last_in + 0.995 * *last_out);
    *last_in = shaped[t];
    out[t] = static_cast<Sample>(waveform[t] * 0.5 + *last_out * 0.75);
  }
}

template <class Sample>
void overdrive_channels(const at::Tensor& waveform, const at::Tensor& shaped,
                        const at::Tensor& last_in, const at::Tensor& last_out,
                        const at::Tensor& out) {
  const int64_t samples = waveform.size(1);
  at::parallel_for(0, waveform.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c)
      overdrive(waveform.const_data_ptr<Sample>() + c * samples,
                shaped.const_data_ptr<Sample>() + c * samples, samples,
                last_in.mutable_data_ptr<Sample>() + c, last_out.mutable_data_ptr<Sample>() + c,
                out.mutable_data_ptr<Sample>() + c * samples);
  });
}

void check_overdrive(const at::Tensor& waveform, const at::Tensor& shaped,
                     const at::Tensor& last_in, const at::Tensor& last_out, const at::Tensor& out) {
  constexpr const char* kName = "_overdrive_core_loop";
  check_operand(kName, waveform, waveform, 2);
  check_operand(kName, shaped, waveform, 2);
  check_operand(kName, out, waveform, 2);
  TORCH_CHECK(shaped.sizes() == waveform.sizes() && out.sizes() == waveform.sizes(),
              "torchaudio::", kName, ": expected tensors of one shape, got ", waveform.sizes(),
              ", ", shaped.sizes(), " and ", out.sizes());
  for (const at::Tensor& state : {last_in, last_out}) {
    check_operand(kName, state, waveform, 1);
    TORCH_CHECK(state.size(0) == waveform.size(0), "torchaudio::", kName, ": expected states of ",
                waveform.size(0), " channels, got ", state.sizes());
  }
  for (const at::Tensor& written : {last_in, last_out, out})
    TORCH_CHECK(written.is_contiguous(), "torchaudio::", kName, ": expected dense results");
}

void call_overdrive(Stack& stack) {
  const auto argument = [&](size_t i) { return torch::jit::peek(stack, i, 5).toTensor(); };
  const at::Tensor waveform = argument(0), shaped = argument(1);
  at::Tensor last_in = argument(2), last_out = argument(3), out = argument(4);
  check_overdrive(waveform, shaped, last_in, last_out, out);
  const auto run =
      waveform.scalar_type() == at::kFloat ? overdrive_channels<float> : overdrive_channels<double>;
  run(waveform.contiguous(), shaped.contiguous(), last_in, last_out, out);
  torch::jit::drop(stack, 5);
  torch::jit::push(stack, std::move(last_in), std::move(last_out), std::move(out));
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
        "torchaudio::_overdrive_core_loop(Tensor waveform, Tensor temp, Tensor(a!) last_in, "
        "Tensor(b!) last_out, Tensor(c!) output_waveform) -> (Tensor(a!), Tensor(b!), Tensor(c!))",
        call_overdrive);
    register_if_missing(
        "torchaudio::_lfilter(Tensor waveform, Tensor a_coeffs, Tensor b_coeffs) -> Tensor",
        call_lfilter);
  });
}

}  // namespace torchweld
