#include "loader/deformable_conv.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "kernels/deform_columns.h"
#include "loader/dtypes.h"
#include "loader/register_operator.h"

namespace torchweld {
namespace {

#define DEFORM_CHECK(condition, ...) \
  TORCH_CHECK(condition, "torchvision::deform_conv2d: ", __VA_ARGS__)

void check_operand(const char* name, const at::Tensor& x, const at::Tensor& input, int64_t dims) {
  DEFORM_CHECK(x.device() == input.device(), "expected tensors on one device, got input on ",
               input.device(), " and ", name, " on ", x.device());
  DEFORM_CHECK(x.scalar_type() == input.scalar_type(),
               "expected tensors of one element type, got input of ", input.scalar_type(), " and ",
               name, " of ", x.scalar_type());
  DEFORM_CHECK(x.dim() == dims, "expected ", name, " of ", dims, " dimensions, got ", x.sizes());
}

void check_options(const DeformOptions& o) {
  for (size_t i = 0; i < 2; ++i) {
    DEFORM_CHECK(o.stride[i] > 0 && o.dilation[i] > 0 && o.padding[i] >= 0,
                 "expected positive strides and dilations and paddings from 0, got strides (",
                 o.stride[0], ", ", o.stride[1], "), dilations (", o.dilation[0], ", ",
                 o.dilation[1], "), paddings (", o.padding[0], ", ", o.padding[1], ")");
  }
  DEFORM_CHECK(o.groups > 0 && o.offset_groups > 0, "expected positive numbers of groups, got ",
               o.groups, " and, of offsets, ", o.offset_groups);
}

DeformShape shape_of(const DeformOperands& of, const DeformOptions& o) {
  DeformShape s;
  s.dtype = dtype_of(of.input.scalar_type());
  s.channels = of.input.size(1);
  s.groups = o.offset_groups;
  s.stride = o.stride;
  s.padding = o.padding;
  s.dilation = o.dilation;
  for (size_t i = 0; i < 3; ++i) s.image_strides[i] = of.input.stride(static_cast<int64_t>(i) + 1);
  for (size_t i = 0; i < 2; ++i) {
    s.size[i] = of.input.size(static_cast<int64_t>(i) + 2);
    s.filter[i] = of.weight.size(static_cast<int64_t>(i) + 2);
    const int64_t room = s.size[i] + 2 * o.padding[i] - o.dilation[i] * (s.filter[i] - 1) - 1;
    s.out[i] = room < 0 ? 0 : room / o.stride[i] + 1;
  }
  return s;
}

/// One number of channels for each number of `s`, and one group of them a position.
void check_positions(const char* name, const at::Tensor& x, const DeformOperands& of,
                     const DeformShape& s, int64_t channels) {
  const std::array<int64_t, 4> want = {of.input.size(0), channels, s.out[0], s.out[1]};
  DEFORM_CHECK(x.sizes() == c10::IntArrayRef(want), "expected ", name, " of shape ",
               c10::IntArrayRef(want), ", got ", x.sizes());
}

DeformShape checked_shape(const DeformOperands& of, const DeformOptions& o) {
  const at::ScalarType type = of.input.scalar_type();
  DEFORM_CHECK(type == at::kFloat || type == at::kDouble || type == at::kHalf,
               "not implemented for ", type);
  check_operand("input", of.input, of.input, 4);
  check_operand("weight", of.weight, of.input, 4);
  check_operand("offset", of.offset, of.input, 4);
  check_operand("bias", of.bias, of.input, 1);
  if (of.mask.defined()) check_operand("mask", of.mask, of.input, 4);
  check_options(o);
  const at::Tensor& weight = of.weight;
  DEFORM_CHECK(weight.size(2) > 0 && weight.size(3) > 0, "a filter without taps, ", weight.sizes());
  DEFORM_CHECK(weight.size(1) * o.groups == of.input.size(1) && weight.size(0) % o.groups == 0,
               "input of shape ", of.input.sizes(), " and weight of shape ", weight.sizes(),
               " don't make ", o.groups, " groups");
  DEFORM_CHECK(of.input.size(1) % o.offset_groups == 0, of.input.size(1), " channels don't make ",
               o.offset_groups, " groups of offsets");
  DEFORM_CHECK(of.bias.size(0) == weight.size(0), "expected bias of ", weight.size(0),
               " numbers, got ", of.bias.sizes());
  const DeformShape s = shape_of(of, o);
  DEFORM_CHECK(s.positions() > 0, "no position of the filter fits into input of shape ",
               of.input.sizes());
  check_positions("offset", of.offset, of, s, 2 * o.offset_groups * s.taps());
  if (of.mask.defined()) check_positions("mask", of.mask, of, s, o.offset_groups * s.taps());
  return s;
}

at::Tensor on_host(const DeformOperands& of, const DeformOptions& o, const DeformShape& s) {
  const int64_t images = of.input.size(0), filters = of.weight.size(0);
  at::Tensor out = at::empty({images, filters, s.out[0], s.out[1]}, of.input.options());
  const at::Tensor offset = of.offset.contiguous();
  const at::Tensor mask = of.mask.defined() ? of.mask.contiguous() : at::Tensor();
  const at::Tensor weight = of.weight.reshape({o.groups, filters / o.groups, -1});
  at::Tensor bordered = at::empty({s.bordered()}, of.input.options());
  at::Tensor columns =
      at::empty({o.groups, s.channels / o.groups * s.taps(), s.positions()}, of.input.options());
  for (int64_t n = 0; n < images; ++n) {
    const at::Tensor image = of.input.select(0, n), moves = offset.select(0, n);
    const at::Tensor factors = mask.defined() ? mask.select(0, n) : mask;
    run_deform_columns(s,
                       {image.const_data_ptr(), moves.const_data_ptr(),
                        factors.defined() ? factors.const_data_ptr() : nullptr,
                        bordered.mutable_data_ptr(), columns.mutable_data_ptr()},
                       [](int64_t count, int64_t grain, const auto& work) {
                         at::parallel_for(0, count, grain, work);
                       });
    const at::Tensor sums = out.select(0, n).view({o.groups, filters / o.groups, s.positions()});
    for (int64_t g = 0; g < o.groups; ++g) {
      at::Tensor of_group = sums.select(0, g);
      at::mm_out(of_group, weight.select(0, g), columns.select(0, g));
    }
  }
  return out.add_(of.bias.view({1, filters, 1, 1}));
}

/// Where the taps lie without their offsets along one dim: [taps, Ho, Wo], or broadcast to it.
at::Tensor places(const DeformShape& s, size_t dim, const at::TensorOptions& options) {
  const auto positions =
      at::arange(s.out[dim], options.dtype(at::kLong)) * s.stride[dim] - s.padding[dim];
  const auto taps = at::arange(s.filter[dim], options.dtype(at::kLong)) * s.dilation[dim];
  const at::Tensor sum = dim == 0 ? taps.view({-1, 1, 1, 1}) + positions.view({-1, 1})
                                  : taps.view({1, -1, 1, 1}) + positions;
  return sum.expand({s.filter[0], s.filter[1], s.out[0], s.out[1]})
      .reshape({s.taps(), s.positions()})
      .to(options.dtype());
}

/// [N, C * taps, positions]
at::Tensor columns_by_operators(const DeformOperands& of, const DeformShape& s) {
  const int64_t images = of.input.size(0), channels = s.channels / s.groups;
  const int64_t reads = s.taps() * s.positions();
  const at::Tensor offset = of.offset.reshape({images, s.groups, s.taps(), 2, s.positions()});
  const auto y = places(s, 0, of.input.options()) + offset.select(3, 0);
  const auto x = places(s, 1, of.input.options()) + offset.select(3, 1);
  const auto top = y.floor(), left = x.floor(), below = y - top, right = x - left;
  const auto inside = (y > -1) & (y < s.size[0]) & (x > -1) & (x < s.size[1]);
  const at::Tensor image = of.input.reshape({images, s.groups, channels, -1});
  const auto weighted = [&](int64_t down, int64_t across) {
    const at::Tensor row = top.to(at::kLong) + down, column = left.to(at::kLong) + across;
    const auto there =
        (inside & (row >= 0) & (row < s.size[0]) & (column >= 0) & (column < s.size[1]))
            .view({images, s.groups, 1, reads});
    const auto index = (row * s.size[1] + column).view({images, s.groups, 1, reads});
    const at::Tensor weight = (down == 0 ? 1 - below : below) * (across == 0 ? 1 - right : right);
    const at::Tensor place = at::where(there, index, 0).expand({-1, -1, channels, -1});
    return at::where(there, weight.view({images, s.groups, 1, reads}), 0) *
           at::where(there, image.gather(3, place), 0);
  };
  at::Tensor read = weighted(0, 0) + weighted(0, 1) + weighted(1, 0) + weighted(1, 1);
  if (of.mask.defined()) read = of.mask.reshape({images, s.groups, 1, reads}) * read;
  return read.reshape({images, s.channels * s.taps(), s.positions()});
}

void call_deform_conv2d(torch::jit::Stack& stack) {
  const auto argument = [&](size_t i) { return torch::jit::peek(stack, i, 14); };
  const auto pair = [&](size_t i) {
    return std::array<int64_t, 2>{argument(i).toInt(), argument(i + 1).toInt()};
  };
  const bool masked = argument(13).toBool();
  const DeformOperands operands{
      argument(0).toTensor(), argument(1).toTensor(), argument(2).toTensor(),
      masked ? argument(3).toTensor() : at::Tensor(), argument(4).toTensor()};
  const DeformOptions options{pair(5), pair(7), pair(9), argument(11).toInt(),
                              argument(12).toInt()};
  at::Tensor result = deform_conv2d(operands, options);
  torch::jit::drop(stack, 14);
  torch::jit::push(stack, std::move(result));
}

}  // namespace

at::Tensor deform_conv2d(const DeformOperands& operands, const DeformOptions& options) {
  if (!operands.input.is_cpu()) return deform_conv2d_by_operators(operands, options);
  return on_host(operands, options, checked_shape(operands, options));
}

at::Tensor deform_conv2d_by_operators(const DeformOperands& of, const DeformOptions& o) {
  const DeformShape s = checked_shape(of, o);
  const int64_t images = of.input.size(0), filters = of.weight.size(0);
  const at::Tensor weight = of.weight.reshape({1, o.groups, filters / o.groups, -1});
  const at::Tensor columns = columns_by_operators(of, s).view(
      {images, o.groups, s.channels / o.groups * s.taps(), s.positions()});
  return at::matmul(weight, columns).reshape({images, filters, s.out[0], s.out[1]}) +
         of.bias.view({1, filters, 1, 1});
}

void register_deform_conv2d() {
  register_if_missing(
      "torchvision::deform_conv2d(Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor "
      "bias, int stride_h, int stride_w, int pad_h, int pad_w, int dilation_h, int dilation_w, int "
      "groups, int offset_groups, bool use_mask) -> Tensor",
      call_deform_conv2d);
}

}  // namespace torchweld
