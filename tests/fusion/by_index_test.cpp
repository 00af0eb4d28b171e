// Reads and writes at places that tensors name, on the host.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

/// The steps of a graph by their names.
std::string names(const std::string& inputs, const std::string& nodes) {
  std::string text;
  for (const Step& step :
       plan(parse_graph("graph(" + inputs + "):\n" + nodes + "\n"), float_rows(true)).steps)
    text += (text.empty() ? "" : ", ") + step.name;
  return text;
}

/// The step of a node that makes %9 of a table, indices and what is written.
std::string step(const std::string& node) {
  return names(
      "%0: f16[9,4], %1: i64[2,3], %2: f16[4,9]{1,4}, %3: i32[2,3]{1,2}, %4: i64[3], %5: f16[3,4], "
      "%6: bool[9,4], %7: i64[9,4], %8: f32[9,4]",
      "  " + node + "\n  return %9");
}

TEST(ByIndex, ReadsAreOneStepWhateverTheirStrides) {
  EXPECT_EQ(step("%9: f16[2,3,4] = aten::embedding(%0, %1, -1, false, false)"), "gather_6x8B");
  EXPECT_EQ(step("%9: f16[2,3,4] = aten::embedding(%0, %3, -1, false, false)"), "gather_6x8B");
  EXPECT_EQ(step("%9: f16[2,3,9] = aten::embedding(%2, %1, -1, false, false)"), "gather_6x18B");
  EXPECT_EQ(step("%9: f16[9,3] = aten::index_select(%0, 1, %4)"), "gather_27x2B");
  EXPECT_EQ(step("%9: f16[9,4] = aten::gather(%0, 0, %7, false)"), "gather_36x2B");
  EXPECT_EQ(step("%9: f16[2,3,4] = aten::index.Tensor(%0, [%1])"), "gather_6x8B");
  EXPECT_EQ(step("%9: f16[9,2,3] = aten::index.Tensor(%0, [undefined, %3])"), "gather_54x2B");
  EXPECT_EQ(step("%9: f16[2,3] = aten::index.Tensor(%0, [%1, %4])"), "gather_6x2B");
  EXPECT_EQ(step("%9: i64[3,5] = aten::one_hot(%4, 5)"), "one_hot_3x8B");
}

TEST(ByIndex, WhatIsNoPlaceOrHasNoneStays) {
  EXPECT_EQ(step("%9: f16[7] = aten::index.Tensor(%0, [%6])"), "aten::index.Tensor");
  EXPECT_EQ(names("%0: f32[0,4], %1: i64[0]",
                  "  %9: f32[0,4] = aten::index.Tensor(%0, [%1])\n"
                  "  return %9"),
            "aten::index.Tensor");
  EXPECT_EQ(names("%0: f32[2,2,2,2,2,2,2,2], %1: i64[3]",
                  "  %9: f32[3,2,2,2,2,2,2,2] = aten::index_select(%0, 0, %1)\n  return %9"),
            "aten::index_select");
}

TEST(ByIndex, AFunctionalScatterIsACopyAndAWrite) {
  EXPECT_EQ(step("%9: f32[9,4] = aten::scatter_add(%8, 0, %7, %8)"),
            "single_scatter_add_f32, scatter_add_36x4B");
  EXPECT_EQ(step("%9: f32[9,4] = aten::scatter_reduce.two(%8, 0, %7, %8, \"amax\", true)"),
            "single_scatter_reduce_f32, scatter_max_36x4B");
  EXPECT_EQ(step("%9: f16[9,4] = aten::index_copy(%0, 0, %4, %5)"),
            "single_index_copy_f16, scatter_3x8B");
  EXPECT_EQ(step("%9: f16[9,4] = aten::index_put(%0, [%4], %5, false)"),
            "single_index_put_f16, scatter_3x8B");
  EXPECT_EQ(step("%9: f16[9,4] = aten::index_fill.int_Scalar(%0, 1, %4, 0.5)"),
            "single_index_fill_f16, scatter_27x2B");
}

TEST(ByIndex, AMaskedScatterIsACopyAndAWrite) {
  const char* x = "%0: f16[9,4], %1: bool[9,1], %2: f16[2,30], %3: f16[30,2]{1,30}";
  const auto names_of = [&](const char* node) {
    return names(x, std::string("  ") + node + "\n  return %9");
  };
  EXPECT_EQ(names_of("%9: f16[9,4] = aten::masked_scatter(%0, %1, %2)"),
            "single_masked_scatter_f16, masked_scatter_9x8B");
  EXPECT_EQ(names_of("%9: f16[9,4] = aten::masked_scatter(%0, %1, %3)"),
            "single_masked_scatter_f16, single_masked_scatter_f16, masked_scatter_9x8B");
}

TEST(ByIndex, AnIndexInTheMemoryThatIsWrittenStaysWithLibTorch) {
  EXPECT_EQ(names("%0: i64[4,4]", "  %0 = %0 <- aten::scatter_add_(%0, 0, %0, %0)\n  return %0"),
            "aten::scatter_add_");
}

TEST(ByIndex, WhatIsAddedIsMultipliedBefore) {
  EXPECT_EQ(names("%0: f32[9,4], %1: i64[3], %2: f32[3,4]",
                  "  %3: f32[3,4] = aten::relu(%2)\n"
                  "  %0 = %0 <- aten::index_add_(%0, 0, %1, %3, 3)\n  return %0"),
            "fused_relu_index_add__f32, scatter_add_3x16B");
}

TEST(ByIndex, SumsOfHalvesAreOfFloats) {
  EXPECT_EQ(names("%0: bf16[9,4], %1: i64[3,4], %2: bf16[3,4]",
                  "  %0 = %0 <- aten::scatter_add_(%0, 0, %1, %2)\n  return %0"),
            "single_scatter_add__f32, single_scatter_add__f32, scatter_add_12x4B, "
            "single_scatter_add__bf16");
}

}  // namespace
}  // namespace torchweld::testing
