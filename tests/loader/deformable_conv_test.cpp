// Of deform_conv2d: what a device runs against the host's kernel, and errors. The host's kernel
// against torchvision: torchvision_ops_test.cpp.
#include "loader/deformable_conv.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <string>

#include "cli/compare.h"

namespace torchweld::testing {
namespace {

/// Two groups, three of offsets, filters of 3 x 2 taps; places up to some pixels from their own.
struct Case {
  DeformOptions options{{2, 1}, {1, 2}, {1, 2}, 2, 3};
  DeformOperands on{at::randn({2, 6, 11, 20}), at::randn({4, 3, 3, 2}),
                    at::randn({2, 36, 6, 22}) * 5, at::rand({2, 18, 6, 22}), at::randn({4})};

  DeformOperands as(at::ScalarType type) const {
    return {on.input.to(type), on.weight.to(type), on.offset.to(type),
            on.mask.defined() ? on.mask.to(type) : on.mask, on.bias.to(type)};
  }
};

TEST(DeformableConv, ADevicesOperatorsGiveWhatTheHostsKernelGives) {
  at::manual_seed(5);
  for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kHalf}) {
    for (const bool masked : {true, false}) {
      Case c;
      if (!masked) c.on.mask = at::Tensor();
      const DeformOperands operands = c.as(type);
      const cli::Comparison comparison = cli::compare(
          deform_conv2d(operands, c.options), deform_conv2d_by_operators(operands, c.options));
      EXPECT_FALSE(comparison.mismatch)
          << type << (masked ? ", masked: " : ": ") << *comparison.mismatch;
    }
  }
}

TEST(DeformableConv, WithoutOffsetsItIsAConvolution) {
  at::manual_seed(6);
  Case c;
  c.on.offset.zero_();
  c.on.mask = at::ones({2, 18, 6, 22});
  const at::Tensor want = at::conv2d(c.on.input, c.on.weight, c.on.bias, c.options.stride,
                                     c.options.padding, c.options.dilation, c.options.groups);
  const cli::Comparison comparison = cli::compare(want, deform_conv2d(c.on, c.options));
  EXPECT_FALSE(comparison.mismatch) << *comparison.mismatch;
}

std::string error_of(const Case& c) {
  try {
    deform_conv2d(c.on, c.options);
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  }
  return "";
}

TEST(DeformableConv, OperandsThatDontFitAreErrors) {
  const std::string name = "torchvision::deform_conv2d: ";
  Case offset, mask, groups, small, type, stride;
  EXPECT_EQ(error_of(offset), "");
  offset.on.offset = at::zeros({2, 36, 6, 21});
  EXPECT_EQ(error_of(offset), name + "expected offset of shape [2, 36, 6, 22], got [2, 36, 6, 21]");
  mask.on.mask = at::zeros({2, 17, 6, 22});
  EXPECT_EQ(error_of(mask), name + "expected mask of shape [2, 18, 6, 22], got [2, 17, 6, 22]");
  groups.options.groups = 3;
  EXPECT_EQ(error_of(groups), name +
                                  "input of shape [2, 6, 11, 20] and weight of shape [4, 3, 3, "
                                  "2] don't make 3 groups");
  small.on.input = at::zeros({2, 6, 0, 20});
  EXPECT_EQ(error_of(small),
            name + "no position of the filter fits into input of shape [2, 6, 0, 20]");
  type.on.bias = at::zeros({4}, at::kDouble);
  EXPECT_EQ(error_of(type), name +
                                "expected tensors of one element type, got input of Float and "
                                "bias of Double");
  stride.options.stride = {0, 1};
  EXPECT_EQ(error_of(stride), name +
                                  "expected positive strides and dilations and paddings from 0, "
                                  "got strides (0, 1), dilations (1, 2), paddings (1, 2)");
}

}  // namespace
}  // namespace torchweld::testing
