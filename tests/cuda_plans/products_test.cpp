// Which steps the archives of the group "products" become on the CUDA path. That their answers are
// LibTorch's, archives_test.cpp sees.
#include <gtest/gtest.h>

#include <map>

#include "tests/support/archives.h"
#include "tests/virtual_gpu/virtual_runtime.h"
#include "torchweld/engine.h"

namespace torchweld::testing {
namespace {

const std::map<std::string, std::string>& expected_steps() {
  static const std::map<std::string, std::string> steps = {
      {"products/batched_residuals",
       "matmul_5x8x6_f32_mul_add\n"
       "matmul_5x8x5_f32_mul_add\n"
       "matmul_5x8x6_f32\n"
       "single_add_f32\n"},
      {"products/doubles",
       "matmul_5x8x6_f64_relu\n"
       "matmul_5x8x6_f64_mul_add\n"
       "matmul_5x8x6_f64\n"
       "single_gelu_f64\n"},
      {"products/gelu_and_residual",
       "matmul_10x24x40_f32_gelu\n"
       "matmul_10x40x24_f32_add\n"},
      {"products/gelu_with_erf_and_residual",
       "matmul_10x24x40_f32\n"
       "single_gelu_f32\n"
       "matmul_10x40x24_f32_add\n"},
      {"products/halves",
       "matmul_5x8x6_f16_relu\n"
       "matmul_5x8x6_f16\n"
       "fused_mul_add_f16\n"
       "matmul_5x8x6_f16\n"
       "single_gelu_f16\n"},
      {"products/no_numbers",
       "matmul_5x8x6_f32\n"
       "fused_mul_add_f32\n"
       "matmul_5x8x6_f32\n"
       "fused_div_add_relu_f32\n"
       "matmul_5x8x6_f32\n"
       "fused_mul_gelu_f32\n"
       "matmul_5x8x6_f32_mul_add_relu\n"},
      {"products/residual_and_norm",
       "matmul_10x24x40_f32_relu\n"
       "matmul_10x40x24_f32_add\n"
       "single_layer_norm_f32\n"},
      {"products/results_that_others_read",
       "matmul_5x8x6_f32\n"
       "single_add_f32\n"
       "fused_mul_add_relu_f32\n"
       "single_add_f32\n"},
      {"products/written_out",
       "matmul_10x8x6_f32_div_add_relu\n"
       "matmul_10x8x6_f32_add_gelu\n"
       "matmul_10x8x6_f32\n"
       "fused_mul_sub_f32\n"
       "matmul_10x8x6_f32\n"
       "fused_mul_add_f32\n"},
      {"products/gated_feeds",
       "matmul_3x16x80_f32\n"
       "fused_silu_mul_f32\n"
       "matmul_3x40x16_f32_add\n"},
      {"products/layers_over_merged_ones",
       "matmul_10x8x16_f32\n"
       "matmul_10x8x16_f32\n"
       "single_cat_f32\n"
       "single_flip_f32\n"
       "single_amax_f32\n"},
      {"products/query_key_value",
       "matmul_14x64x192_f32\n"
       "attention_2x2x7x7x32_f32\n"
       "matmul_14x64x64_f32_add\n"},
      {"products/gated_feeds_of_halves",
       "matmul_6x16x80_bf16\n"
       "fused_silu_mul_bf16\n"
       "matmul_6x40x16_bf16\n"
       "single_add_bf16\n"},
      {"products/results_that_leave",
       "matmul_5x8x4_f32\n"
       "single_fill_f32\n"
       "matmul_5x8x4_f32\n"
       "matmul_5x8x8_f32_add\n"
       "matmul_5x8x6_f32_relu\n"
       "matmul_5x8x8_f32\n"
       "single_sin_f32\n"},
      {"products/scaled_query_key_value_of_small_heads",
       "matmul_14x64x192_f32\n"
       "single_mul_f32\n"
       "matmul_7x8x7_f32\n"
       "single_softmax_f32\n"
       "matmul_7x7x8_f32\n"
       "single_reshape_f32\n"
       "matmul_14x64x64_f32_add\n"},
      {"products/towers_of_one_input",
       "matmul_16x16x40_f32_relu\n"
       "matmul_16x8x8_f32\n"
       "single_tanh_f32\n"
       "matmul_16x12x8_f32\n"
       "single_tanh_f32\n"
       "matmul_16x20x8_f32\n"
       "single_tanh_f32\n"},
      {"products/transposed_weights",
       "matmul_5x8x24_f32\n"
       "single_exp_f32\n"
       "single_softmax_f32\n"
       "single_sum_f32\n"
       "matmul_5x8x16_f32\n"
       "single_sin_f32\n"
       "single_cos_f32\n"},
      {"products/weights_of_bytes", "fused_copy_mul_linear_f32\n"},
      {"products/weights_of_bytes_for_halves", "fused_copy_mul_linear_relu_f16\n"},
      {"products/weights_of_bytes_of_one_row",
       "fused_copy_mul_linear_gelu_f32\n"
       "fused_copy_sub_mul_addmm_f32\n"
       "fused_copy_sub_mul_matmul_add_f32\n"
       "single_copy_bf16\n"
       "fused_copy_mul_linear_gelu_bf16\n"
       "fused_copy_sub_mul_addmm_bf16\n"
       "fused_copy_sub_mul_matmul_add_bf16\n"},
      {"products/weights_of_bytes_of_more_rows",
       "fused_copy_mul_f32\n"
       "matmul_5x256x320_f32\n"},
      {"products/weights_of_packed_bytes",
       "fused_bitwise_and_right_shift_stack_u8\n"
       "fused_copy_sub_mul_f32\n"
       "matmul_3x512x256_f32\n"},
      {"products/matrices_of_the_call",
       "matmul_7x10x7_f32\n"
       "matmul_1x10x7_f32\n"
       "matmul_1x7x10_f32\n"
       "matmul_42x10x7_f32\n"
       "matmul_42x10x1_f32\n"
       "matmul_10x1x10_f32\n"
       "matmul_10x7x10_f32\n"
       "matmul_42x10x7_f32\n"
       "matmul_10x7x10_f32\n"
       "matmul_10x7x10_f32\n"
       "single_sum_f32\n"
       "single_add_f32\n"
       "matmul_7x10x7_f32\n"},
      {"products/rows_of_strides",
       "single_sub_f32\n"
       "matmul_5x36x12_f32\n"
       "matmul_5x36x12_f32\n"
       "fused_relu_add_f32\n"
       "single_linear_f32\n"
       "matmul_3x36x12_f32\n"
       "single_linear_f32\n"
       "matmul_3x36x12_f32\n"
       "single_linear_f32\n"
       "matmul_3x36x12_f32\n"
       "single_linear_f32\n"
       "matmul_3x36x12_f32\n"
       "single_linear_f32\n"
       "matmul_3x36x12_f32\n"
       "single_stack_f32\n"
       "single_add_f32\n"
       "aten::matmul\n"},
  };
  return steps;
}

class Products : public ::testing::TestWithParam<std::string> {};

TEST_P(Products, BecomeTheExpectedSteps) {
  const auto expected = expected_steps().find(GetParam());
  ASSERT_NE(expected, expected_steps().end()) << "no steps are listed for it";
  Options options;
  options.planning = Planning::kBlocking;
  options.runtime = virtual_gpu::virtual_runtime();
  const Engine engine = load(archive_path(GetParam()), options);
  std::string steps;
  for (const ExplainedBlock& block : engine.explain(archive_inputs(GetParam()).inputs).blocks) {
    for (const ExplainedStep& step : block.steps) steps += step.name + "\n";
  }
  EXPECT_EQ(steps, expected->second);
}

INSTANTIATE_TEST_SUITE_P(All, Products, ::testing::ValuesIn(archive_names("products")),
                         archive_test_name);

}  // namespace
}  // namespace torchweld::testing
