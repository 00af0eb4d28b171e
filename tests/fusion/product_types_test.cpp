// Float32 products in a narrower type: what is cast, once, and what stays.
#include "fusion/product_types.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

std::string narrowed(std::string_view text, DType products = DType::kBF16, bool small = true) {
  Target on = target();
  on.products = products;
  on.narrows_small_products = small;
  return after(text, [&](Graph* graph) {
    drop_views(graph);
    retype_products(graph, on);
  });
}

TEST(ProductTypes, WeightsAreCastOnceAheadOfTheCalls) {
  EXPECT_EQ(narrowed(R"(graph(%0: f32[2,4]):
  %1: f32[3,4] = constant(0)
  %2: f32[3] = constant(1)
  %3: f32[2,3] = aten::linear(%0, %1, %2)
  %4: f32[2,3] = aten::linear(%0, %1, none)
  return %3, %4
)"),
            R"(graph(%0: f32[2,4]):
  %1: f32[3,4] = constant(0)
  %2: f32[3] = constant(1)
  setup %6: bf16[3,4] = aten::to.dtype(%1, 15, false, false, none)
  setup %7: bf16[3] = aten::to.dtype(%2, 15, false, false, none)
  %5: bf16[2,4] = aten::to.dtype(%0, 15, false, false, none)
  %8: bf16[2,3] = aten::linear(%5, %6, %7)
  %3: f32[2,3] = aten::to.dtype(%8, 6, false, false, none)
  %9: bf16[2,3] = aten::linear(%5, %6, none)
  %4: f32[2,3] = aten::to.dtype(%9, 6, false, false, none)
  return %3, %4
)");
}

TEST(ProductTypes, AViewOfAConstantIsAViewOfTheCastConstant) {
  EXPECT_EQ(narrowed(R"(graph(%0: f32[2,4]):
  %1: f32[6,4] = constant(0)
  %2: f32[4,3]{1,4} @%1+12 = aten::as_strided(%1, [4, 3], [1, 4], 12)
  %3: f32[2,3] = aten::mm(%0, %2)
  return %3
)",
                     DType::kF16),
            R"(graph(%0: f32[2,4]):
  %1: f32[6,4] = constant(0)
  setup %5: f16[6,4] = aten::to.dtype(%1, 5, false, false, none)
  %4: f16[2,4] = aten::to.dtype(%0, 5, false, false, none)
  %7: f16[2,3] = aten::mm(%4, %6)
  %3: f32[2,3] = aten::to.dtype(%7, 6, false, false, none)
  return %3
)");
}

TEST(ProductTypes, LayoutsAreKeptButForGaps) {
  EXPECT_EQ(narrowed(R"(graph(%0: f32[4,2]{1,4}, %1: f32[2,3]{6,1}):
  %2: f32[4,3]{1,4} = aten::mm(%0, %1)
  return %2
)"),
            R"(graph(%0: f32[4,2]{1,4}, %1: f32[2,3]{6,1}):
  %3: bf16[4,2]{1,4} = aten::to.dtype(%0, 15, false, false, none)
  %4: bf16[2,3] = aten::to.dtype(%1, 15, false, false, 0)
  %5: bf16[4,3]{1,4} = aten::mm(%3, %4)
  %2: f32[4,3]{1,4} = aten::to.dtype(%5, 6, false, false, none)
  return %2
)");
}

TEST(ProductTypes, ConvolutionsAndAttentionToo) {
  EXPECT_EQ(narrowed(R"(graph(%0: f32[1,2,4,4], %1: f32[1,2,4,4], %2: bool[4,4]):
  %3: f32[2,2,1,1] = constant(0)
  %4: f32[1,2,4,4] = aten::conv2d(%0, %3, none, [1,1], [0,0], [1,1], 1)
  %5: f32[1,2,4,4] = aten::scaled_dot_product_attention(%4, %1, %1, %2, 0.0, false, none, false)
  return %5
)"),
            R"(graph(%0: f32[1,2,4,4], %1: f32[1,2,4,4], %2: bool[4,4]):
  %3: f32[2,2,1,1] = constant(0)
  setup %7: bf16[2,2,1,1] = aten::to.dtype(%3, 15, false, false, none)
  %6: bf16[1,2,4,4] = aten::to.dtype(%0, 15, false, false, none)
  %8: bf16[1,2,4,4] = aten::conv2d(%6, %7, none, [1, 1], [0, 0], [1, 1], 1)
  %4: f32[1,2,4,4] = aten::to.dtype(%8, 6, false, false, none)
  %9: bf16[1,2,4,4] = aten::to.dtype(%4, 15, false, false, none)
  %10: bf16[1,2,4,4] = aten::to.dtype(%1, 15, false, false, none)
  %11: bf16[1,2,4,4] = aten::scaled_dot_product_attention(%9, %10, %10, %2, 0.0, false, none, false)
  %5: f32[1,2,4,4] = aten::to.dtype(%11, 6, false, false, none)
  return %5
)");
}

TEST(ProductTypes, WhatIsNotAPlainFloat32ProductStays) {
  constexpr const char* kStays =
      R"(graph(%0: f32[2,4], %1: f64[2,4], %2: f64[4,2], %3: f32[1,1,4,4], %4: f32[4,4]):
  %5: f64[2,2] = aten::mm(%1, %2)
  %6: f32[2,4] = aten::mul.Tensor(%0, %0)
  %7: f32[1,1,4,4] = aten::scaled_dot_product_attention(%3, %3, %3, %4, 0.0, false, none, false)
  return %5, %6, %7
)";
  EXPECT_EQ(narrowed(kStays), after(kStays, [](Graph*) {}));
}

TEST(ProductTypes, SmallOnesStayWhereACallCostsMoreThanItSaves) {
  const auto count = [](const char* sizes, const char* out) {
    const std::string text = narrowed(std::string("graph(%0: f32[") + sizes + R"(,1024]):
  %1: f32[1024,1024] = constant(0)
  %2: f32[)" + out + R"(,1024] = aten::linear(%0, %1, none)
  return %2
)",
                                      DType::kBF16, false);
    return text.find("bf16") != std::string::npos;
  };
  EXPECT_FALSE(count("1", "1")) << "a weight that is used once is bound by memory";
  EXPECT_TRUE(count("16", "16"));
  constexpr const char* kTiny = R"(graph(%0: f32[64,8], %1: f32[8,8]):
  %2: f32[64,8] = aten::mm(%0, %1)
  return %2
)";
  EXPECT_EQ(narrowed(kTiny, DType::kBF16, false), after(kTiny, [](Graph*) {}));
}

TEST(ProductTypes, WhatIsWrittenInPlaceIsCastWhereItIsRead) {
  EXPECT_EQ(narrowed(R"(graph(%0: f32[4,4], %1: f32[4,4]):
  %2: f32[4,4] = aten::mm(%0, %1)
  %0 = %0 <- my::write_(%0)
  %3: f32[4,4] = aten::mm(%0, %1)
  return %2, %3
)"),
            R"(graph(%0: f32[4,4], %1: f32[4,4]):
  %4: bf16[4,4] = aten::to.dtype(%0, 15, false, false, none)
  %5: bf16[4,4] = aten::to.dtype(%1, 15, false, false, none)
  %6: bf16[4,4] = aten::mm(%4, %5)
  %2: f32[4,4] = aten::to.dtype(%6, 6, false, false, none)
  %0 = %0 <- my::write_(%0)
  %7: bf16[4,4] = aten::to.dtype(%0, 15, false, false, none)
  %8: bf16[4,4] = aten::mm(%7, %5)
  %3: f32[4,4] = aten::to.dtype(%8, 6, false, false, none)
  return %2, %3
)");
}

std::string widened(std::string_view text) {
  Target on = target();
  on.widens_halves = true;
  return after(text, [&](Graph* graph) {
    drop_views(graph);
    retype_products(graph, on);
  });
}

TEST(ProductTypes, HalvesAreWidenedAndEachResultIsRounded) {
  EXPECT_EQ(widened(R"(graph(%0: f16[2,4]):
  %1: f16[3,4] = constant(0)
  %2: f16[3] = constant(1)
  %3: f16[2,3] = aten::linear(%0, %1, %2)
  %4: f16[2,3] = aten::relu(%3)
  return %4
)"),
            R"(graph(%0: f16[2,4]):
  %1: f16[3,4] = constant(0)
  %2: f16[3] = constant(1)
  setup %6: f32[3,4] = aten::to.dtype(%1, 6, false, false, none)
  setup %7: f32[3] = aten::to.dtype(%2, 6, false, false, none)
  %5: f32[2,4] = aten::to.dtype(%0, 6, false, false, none)
  %8: f32[2,3] = aten::linear(%5, %6, %7)
  %3: f16[2,3] = aten::to.dtype(%8, 5, false, false, none)
  %4: f16[2,3] = aten::relu(%3)
  return %4
)");
}

TEST(ProductTypes, RecurrentLayersOfHalvesAreWidenedWithAllTheirResults) {
  EXPECT_EQ(widened(R"(graph(%0: bf16[5,1,4], %1: bf16[1,1,2]):
  %2: bf16[8,4] = constant(0)
  %3: bf16[8,2] = constant(1)
  %4: bf16[5,1,2], %5: bf16[1,1,2], %6: bf16[1,1,2] = aten::lstm.input(%0, [%1, %1], [%2, %3], false, 1, 0.0, false, false, false)
  return %4, %6
)"),
            R"(graph(%0: bf16[5,1,4], %1: bf16[1,1,2]):
  %2: bf16[8,4] = constant(0)
  %3: bf16[8,2] = constant(1)
  setup %9: f32[8,4] = aten::to.dtype(%2, 6, false, false, none)
  setup %10: f32[8,2] = aten::to.dtype(%3, 6, false, false, none)
  %7: f32[5,1,4] = aten::to.dtype(%0, 6, false, false, none)
  %8: f32[1,1,2] = aten::to.dtype(%1, 6, false, false, none)
  %11: f32[5,1,2], %12: f32[1,1,2], %13: f32[1,1,2] = aten::lstm.input(%7, [%8, %8], [%9, %10], false, 1, 0.0, false, false, false)
  %4: bf16[5,1,2] = aten::to.dtype(%11, 15, false, false, none)
  %5: bf16[1,1,2] = aten::to.dtype(%12, 15, false, false, none)
  %6: bf16[1,1,2] = aten::to.dtype(%13, 15, false, false, none)
  return %4, %6
)");
}

TEST(ProductTypes, LargeProductsOfBfloat16AndHugeWeightsStay) {
  const auto widens = [](const char* type, int64_t rows, int64_t columns) {
    return widened(fmt::format(R"(graph(%0: {0}[{1},{2}]):
  %1: {0}[{2},{2}] = constant(0)
  %2: {0}[{1},{2}] = aten::linear(%0, %1, none)
  return %2
)",
                               type, rows, columns))
               .find("f32") != std::string::npos;
  };
  EXPECT_TRUE(widens("bf16", 1, 1024));
  EXPECT_TRUE(widens("bf16", 63, 1024));
  EXPECT_FALSE(widens("bf16", 64, 1024)) << "processors have instructions for it";
  EXPECT_TRUE(widens("f16", 64, 1024));
  EXPECT_FALSE(widens("f16", 1, 8200)) << "weights of more than 256 MiB in float32";
}

TEST(ProductTypes, CastsJoinTheKernelsAround) {
  Target on = target();
  on.products = DType::kBF16;
  EXPECT_EQ(planned(R"(graph(%0: f32[32,64]):
  %1: f32[64,64] = constant(0)
  %2: f32[32,64] = aten::linear(%0, %1, none)
  %3: f32[32,64] = aten::relu(%2)
  %4: f32[32,64] = aten::linear(%3, %1, none)
  return %4
)",
                    on),
            R"(step 0: fused single_copy_bf16 over [2048]
  %5: bf16[32,64] = aten::to.dtype(%0, 15, false, false, none)
  load  %0 in input 0 {1}
  store %5 in arena 0..4096 {1}
step 1: library aten::linear
  %7: bf16[32,64] = aten::linear(%5, %6, none)
step 2: fused fused_copy_relu_copy_bf16 over [2048]
  %2: f32[32,64] = aten::to.dtype(%7, 6, false, false, none)
  %3: f32[32,64] = aten::relu(%2)
  %8: bf16[32,64] = aten::to.dtype(%3, 15, false, false, none)
  load  %7 in eager {1}
  store %8 in arena 0..4096 {1}
  release %7
step 3: library aten::linear
  %9: bf16[32,64] = aten::linear(%8, %6, none)
step 4: fused single_copy_f32 over [2048]
  %4: f32[32,64] = aten::to.dtype(%9, 6, false, false, none)
  load  %9 in eager {1}
  store %4 in output of 8192 bytes {1}
  release %9
return %4 in output of 8192 bytes
arena 4096 of 8192 bytes
)");
}

}  // namespace
}  // namespace torchweld::testing
