// Which archives of the group "attention" become how many launches of the kernel for attention.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tests/support/archives.h"
#include "tests/virtual_gpu/virtual_runtime.h"
#include "torchweld/engine.h"

namespace torchweld::testing {
namespace {

const std::map<std::string, int>& expected_kernels() {
  static const std::map<std::string, int> counts = {
      {"attention/bert_mask", 1},
      {"attention/bloom_baddbmm", 1},
      {"attention/cross_attention", 1},
      {"attention/encoder_layer_with_padding", 1},
      {"attention/encoder_layers", 2},
      {"attention/encoder_layers_of_halves", 0},
      {"attention/few_queries", 5},
      {"attention/finite_fill_with_empty_rows", 1},
      {"attention/gpt2_where", 1},
      {"attention/grouped_queries", 1},
      {"attention/heads_inside_channels", 1},
      {"attention/masked_fill_with_empty_rows", 1},
      {"attention/multi_head_attention_alone", 1},
      {"attention/multi_head_attention_with_unread_weights", 1},
      {"attention/multi_head_attention_with_weights", 0},
      {"attention/none_in_float64", 0},
      {"attention/none_of_empty_batches", 0},
      {"attention/none_of_odd_head_sizes", 0},
      {"attention/none_since_weights_leave", 0},
      {"attention/scaled_dot_product_forms", 3},
      {"attention/swin_window_masks", 1},
      {"attention/t5_bias_in_place", 1},
      {"attention/timm_scaled_queries", 1},
      {"attention/values_of_other_widths", 0},
      {"attention/written_out_bfloat16", 1},
      {"attention/written_out_float16", 1},
  };
  return counts;
}

class AttentionKernels : public ::testing::TestWithParam<std::string> {};

TEST_P(AttentionKernels, AreAsManyAsExpectedAndNothingOfItIsEager) {
  const auto expected = expected_kernels().find(GetParam());
  ASSERT_NE(expected, expected_kernels().end()) << "no number of kernels is listed for it";
  Options options;
  options.planning = Planning::kBlocking;
  options.runtime = virtual_gpu::virtual_runtime();
  const Engine engine = load(archive_path(GetParam()), options);
  int kernels = 0;
  std::string steps;
  for (const ExplainedBlock& block : engine.explain(archive_inputs(GetParam()).inputs).blocks) {
    for (const ExplainedStep& step : block.steps) {
      kernels += step.name.starts_with("attention_") ? 1 : 0;
      steps += step.name + "\n";
      EXPECT_FALSE(expected->second > 0 && step.name.starts_with("aten::"))
          << step.name << ": " << step.reason;
    }
  }
  EXPECT_EQ(kernels, expected->second) << steps;
}

INSTANTIATE_TEST_SUITE_P(All, AttentionKernels, ::testing::ValuesIn(archive_names("attention")),
                         archive_test_name);

}  // namespace
}  // namespace torchweld::testing
