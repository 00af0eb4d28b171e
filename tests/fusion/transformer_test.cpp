// Transformer layers recorded as one operator, taken apart.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

Target device() {
  Target on;
  on.rows = on.blas = true;
  on.attention = &kPlannedAttention;
  return on;
}

/// The names of a plan's steps.
std::string names(std::string_view text, const Target& on = device()) {
  std::string out;
  for (const Step& step : plan(parse_graph(text), on).steps) out += step.name + "\n";
  return out;
}

std::string layer(const std::string& dtype, bool gelu, bool norm_first, const std::string& mask,
                  const std::string& mask_type) {
  std::string text = R"(graph(%0: T[2,5,64], %1: T[192,64], %2: T[192], %3: T[64,64], %4: T[64],
    %5: T[64], %6: T[64], %7: T[96,64], %8: T[96], %9: T[64,96], %10: T[64], %11: bool[2,5]):
  %12: T[2,5,64] = aten::_transformer_encoder_layer_fwd(%0, 64, 2, %1, %2, %3, %4, GELU, FIRST, 1e-05, %5, %6, %5, %6, %7, %8, %9, %10, MASK, TYPE)
  return %12
)";
  const auto replace = [&text](const std::string& from, const std::string& to) {
    for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
      text.replace(at, from.size(), to);
  };
  replace("\n    %5", " %5");
  replace("TYPE", mask_type);
  replace("T[", dtype + "[");
  replace("GELU", gelu ? "true" : "false");
  replace("FIRST", norm_first ? "true" : "false");
  replace("MASK", mask);
  return text;
}

TEST(Transformer, ALayerIsProductsAttentionAndWhatLiesBetween) {
  EXPECT_EQ(names(layer("f32", false, false, "none", "none")),
            "matmul_10x64x192_f32\nattention_2x2x5x5x32_f32\nmatmul_10x64x64_f32_add\n"
            "single_layer_norm_f32\nmatmul_10x64x96_f32_relu\nmatmul_10x96x64_f32_add\n"
            "single_layer_norm_f32\n");
}

TEST(Transformer, NormsComeFirstWhereTheLayerSaysSo) {
  EXPECT_EQ(names(layer("f32", true, true, "%11", "1")),
            "single_layer_norm_f32\nmatmul_10x64x192_f32\nattention_2x2x5x5x32_f32_mask\n"
            "matmul_10x64x64_f32_add\nsingle_layer_norm_f32\nmatmul_10x64x96_f32\n"
            "single_gelu_f32\nmatmul_10x96x64_f32_add\n");
}

TEST(Transformer, HalvesOnCudaAndMasksOfOtherDimsStayLibTorchs) {
  const std::string whole = "aten::_transformer_encoder_layer_fwd\n";
  EXPECT_EQ(names(layer("f16", false, false, "none", "none")), whole);
  EXPECT_EQ(names(layer("f32", false, false, "%11", "0")), whole);
  EXPECT_EQ(names(layer("f32", false, false, "%11", "none")), whole);
}

TEST(Transformer, OnTheHostAttentionIsLibTorchsAndMasksKeepTheLayerWhole) {
  Target host = target();
  host.float_rows = true;
  EXPECT_EQ(names(layer("f32", true, false, "none", "none"), host),
            "aten::linear\naten::scaled_dot_product_attention\naten::linear\n"
            "fused_add_layer_norm_f32\naten::linear\nsingle_gelu_f32\naten::linear\n"
            "fused_add_layer_norm_f32\n");
  EXPECT_EQ(names(layer("f32", true, false, "%11", "1"), host),
            "aten::_transformer_encoder_layer_fwd\n");
}

TEST(Transformer, HalvesOnTheHostAreTakenApart) {
  Target host = target();
  host.float_rows = host.hand_kernels = true;
  host.attention = &kPlannedAttention;
  EXPECT_EQ(names(layer("bf16", true, false, "none", "none"), host),
            "aten::linear\nattention_2x2x5x5x32_bf16\naten::linear\nfused_add_layer_norm_bf16\n"
            "aten::linear\nsingle_gelu_bf16\naten::linear\nfused_add_layer_norm_bf16\n");
}

std::string attention_that_gives(const std::string& results) {
  return R"(graph(%0: f32[2,5,64], %1: f32[192,64], %2: f32[192], %3: f32[64,64], %4: f32[64]):
  %5: f32[2,5,64], %6: f32[2,5,5] = aten::_native_multi_head_attention(%0, %0, %0, 64, 2, %1, %2, %3, %4, none, true, true, none)
  return )" +
         results + "\n";
}

TEST(Transformer, AttentionWhoseWeightsNobodyReadsIsTheKernels) {
  EXPECT_EQ(names(attention_that_gives("%5")),
            "matmul_10x64x192_f32\nattention_2x2x5x5x32_f32\nmatmul_10x64x64_f32\n");
}

TEST(Transformer, AttentionWhoseWeightsLeaveStaysLibTorchsOnCuda) {
  EXPECT_EQ(names(attention_that_gives("%5, %6")), "aten::_native_multi_head_attention\n");
}

TEST(Transformer, AttentionWhoseWeightsLeaveIsWrittenOutOnTheHost) {
  Target host = target();
  host.float_rows = host.hand_kernels = true;
  EXPECT_EQ(names(attention_that_gives("%5, %6"), host),
            "aten::linear\nsingle_mul_f32\nproduct_4x5x32x5\nsingle_softmax_f32\n"
            "product_4x5x5x32\nfused_sum_div_f32\naten::linear\n");
}

}  // namespace
}  // namespace torchweld::testing
