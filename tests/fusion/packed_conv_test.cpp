// Convolutions with what follows them as one operator of oneDNN, and the layout between them.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

TEST(PackedConv, TakesBatchNormAndSiluAndStaysChannelsLast) {
  EXPECT_EQ(planned(R"(graph(%0: f32[1,64,8,8]):
  %1: f32[64,64,3,3] = constant(0)
  %2: f32[64] = constant(1)
  %3: f32[64] = constant(2)
  %4: f32[64] = constant(3)
  %5: f32[64] = constant(4)
  %6: f32[1,64,8,8] = aten::conv2d(%0, %1, none, [1, 1], [1, 1], [1, 1], 1)
  %7: f32[1,64,8,8] = aten::batch_norm(%6, %2, %3, %4, %5, false, 0.1, 1e-05, true)
  %8: f32[1,64,8,8] = aten::add.Tensor(%7, %0, 1)
  %9: f32[1,64,8,8] = aten::relu(%8)
  %10: f32[1,64,4,4] = aten::max_pool2d(%9, [2, 2], [2, 2], [0, 0], [1, 1], false)
  %11: f32[1,64,4,4] = aten::conv2d(%10, %1, %2, [1, 1], [1, 1], [1, 1], 1)
  %12: f32[1,64,4,4] = aten::silu(%11)
  return %12
)",
                    packs()),
            R"(step 0: fused single_copy_f32 over [64,64]
  %29: f32[1,64,8,8]{4096,1,512,64} = aten::clone(%0, 2)
  load  %0 in input 0 {1,64}
  store %29 in arena 0..16384 {64,1}
step 1: library mkldnn::_convolution_pointwise
  %30: f32[1,64,8,8]{4096,1,512,64} = mkldnn::_convolution_pointwise(%29, %27, %24, [1, 1], [1, 1], [1, 1], 1, "none", floats[], "")
step 2: fused fused_add_relu_f32 over [64,64]
  %31: f32[1,64,8,8]{4096,1,512,64} = aten::add.Tensor(%30, %0, 1)
  %32: f32[1,64,8,8]{4096,1,512,64} = aten::relu(%31)
  load  %30 in eager {64,1}
  load  %0 in input 0 {1,64}
  store %32 in arena 0..16384 {64,1}
  release %30
step 3: eager aten::max_pool2d, since no kernel is written for it
  %33: f32[1,64,4,4]{1024,1,256,64} = aten::max_pool2d(%32, [2, 2], [2, 2], [0, 0], [1, 1], false)
step 4: library mkldnn::_convolution_pointwise
  %34: f32[1,64,4,4]{1024,1,256,64} = mkldnn::_convolution_pointwise(%33, %28, %2, [1, 1], [1, 1], [1, 1], 1, "swish", floats[], "")
  release %33
step 5: fused single_copy_f32 over [64,16]
  %12: f32[1,64,4,4] = aten::clone(%34, 0)
  load  %34 in eager {1,64}
  store %12 in output of 4096 bytes {16,1}
  release %34
return %12 in output of 4096 bytes
arena 16384 of 32768 bytes
)");
}

Target by_hand() {
  Target on = packs();
  on.hand_kernels = true;
  on.float_rows = true;
  return on;
}

TEST(ImageConvStep, TakesBatchNormSummandAndRange) {
  EXPECT_EQ(planned(R"(graph(%0: f32[1,3,16,16]):
  %1: f32[64,3,3,3] = constant(0)
  %2: f32[64,64,3,3] = constant(1)
  %3: f32[64] = constant(2)
  %4: f32[64] = constant(3)
  %5: f32[64] = constant(4)
  %6: f32[64] = constant(5)
  %7: f32[1,64,8,8] = aten::conv2d(%0, %1, none, [2, 2], [1, 1], [1, 1], 1)
  %8: f32[1,64,8,8] = aten::batch_norm(%7, %3, %4, %5, %6, false, 0.1, 1e-05, true)
  %9: f32[1,64,8,8] = aten::hardtanh(%8, 0, 6)
  %10: f32[1,64,8,8] = aten::conv2d(%9, %2, %3, [1, 1], [1, 1], [1, 1], 1)
  %11: f32[1,64,8,8] = aten::add.Tensor(%9, %10, 1)
  %12: f32[1,64,8,8] = aten::relu(%11)
  %13: f32[1,64] = aten::mean.dim(%12, [2, 3], false, none)
  return %13
)",
                    by_hand()),
            R"(step 0: conv_64x27x64_hardtanh
  %26: f32[1,64,8,8]{4096,1,512,64} = torchweld::conv2d(%0, %1, %25, [2, 2], [1, 1], [1, 1], 1, %19)
  %27: f32[1,64,8,8]{4096,1,512,64} = aten::hardtanh(%26, 0, 6)
step 1: conv_64x576x64_add_relu
  %28: f32[1,64,8,8]{4096,1,512,64} = torchweld::conv2d(%27, %2, %3, [1, 1], [1, 1], [1, 1], 1)
  %29: f32[1,64,8,8]{4096,1,512,64} = aten::add.Tensor(%27, %28, 1)
  %30: f32[1,64,8,8]{4096,1,512,64} = aten::relu(%29)
step 2: avg_pool_1x64x64
  %32: f32[1,64,1,1]{64,1,64,64} = aten::adaptive_avg_pool2d(%30, [1, 1])
return %13 in output of 256 bytes
arena 60672 of 64256 bytes
)");
}

TEST(ImageConvStep, DepthwiseFiltersAndPoolings) {
  EXPECT_EQ(planned(R"(graph(%0: f32[1,32,8,8]):
  %1: f32[32,1,3,3] = constant(0)
  %2: f32[32,32,3,3] = constant(1)
  %3: f32[1,32,8,8] = aten::conv2d(%0, %2, none, [1, 1], [1, 1], [1, 1], 1)
  %4: f32[1,32,8,8] = aten::conv2d(%3, %1, none, [1, 1], [1, 1], [1, 1], 32)
  %5: f32[1,32,4,4] = aten::max_pool2d(%4, [3, 3], [2, 2], [1, 1], [1, 1], false)
  %6: f32[1,32,4,4] = aten::relu(%5)
  %7: f32[1,32,2,2] = aten::avg_pool2d(%6, [2, 2], [], [0, 0], false, true, none)
  %8: f32[1,32,1,1] = aten::adaptive_avg_pool2d(%7, [1, 1])
  return %8
)",
                    by_hand()),
            R"(step 0: fused single_copy_f32 over [64,32]
  %9: f32[1,32,8,8]{2048,1,256,32} = aten::clone(%0, 2)
  load  %0 in input 0 {1,64}
  store %9 in arena 13952..22144 {32,1}
step 1: conv_64x288x32
  %10: f32[1,32,8,8]{2048,1,256,32} = torchweld::conv2d(%9, %2, none, [1, 1], [1, 1], [1, 1], 1)
step 2: depthwise_conv_64x9x32
  %11: f32[1,32,8,8]{2048,1,256,32} = torchweld::conv2d(%10, %1, none, [1, 1], [1, 1], [1, 1], 32)
step 3: max_pool_16x9x32_relu
  %12: f32[1,32,4,4]{512,1,128,32} = aten::max_pool2d(%11, [3, 3], [2, 2], [1, 1], [1, 1], false)
  %13: f32[1,32,4,4]{512,1,128,32} = aten::relu(%12)
step 4: avg_pool_4x4x32
  %14: f32[1,32,2,2]{128,1,64,32} = aten::avg_pool2d(%13, [2, 2], [], [0, 0], false, true, none)
step 5: avg_pool_1x4x32
  %15: f32[1,32,1,1]{32,1,32,32} = aten::adaptive_avg_pool2d(%14, [1, 1])
return %8 in output of 128 bytes
arena 30336 of 41088 bytes
)");
}

TEST(ImageConvStep, GroupsOfFewChannelsAreOneDnns) {
  const auto text_of = [](const char* weight, int groups) {
    return planned(std::string(R"(graph(%0: f32[1,256,8,8]):
  %1: f32)") + weight +
                       R"( = constant(0)
  %2: f32[1,256,8,8] = aten::conv2d(%0, %1, none, [1, 1], [3, 3], [1, 1], )" +
                       std::to_string(groups) + R"()
  %3: f32[1,256,8,8] = aten::silu(%2)
  return %3
)",
                   by_hand());
  };
  const std::string few = text_of("[256,4,7,7]", 64), many = text_of("[256,32,7,7]", 8);
  EXPECT_EQ(few.find("torchweld::conv2d"), std::string::npos) << few;
  EXPECT_NE(few.find("\"swish\""), std::string::npos) << few;
  EXPECT_NE(many.find("torchweld::conv2d"), std::string::npos) << many;
}

TEST(ImageConvStep, SignalsAreImagesOfOneRow) {
  EXPECT_EQ(planned(R"(graph(%0: f32[2,1,400]):
  %1: f32[32,1,10] = constant(0)
  %2: f32[32,32,3] = constant(1)
  %3: f32[32,1,5] = constant(2)
  %4: f32[32] = constant(3)
  %5: f32[32] = constant(4)
  %6: f32[2,32,79] = aten::conv1d(%0, %1, none, [5], [0], [1], 1)
  %7: f32[2,32,79] = aten::batch_norm(%6, %4, %4, %4, %5, false, 0.1, 1e-05, true)
  %8: f32[2,32,79] = aten::relu(%7)
  %9: f32[2,32,79] = aten::_convolution(%8, %2, %4, [1], [4], [4], false, [0], 1, false, false, true, true)
  %10: f32[2,32,79] = aten::add.Tensor(%9, %8, 1)
  %11: f32[2,32,79] = aten::conv1d(%10, %3, %4, [1], [2], [1], 32)
  %12: f32[2,32,39] = aten::max_pool1d(%11, [2], [2], [0], [1], false)
  %13: f32[2,32] = aten::mean.dim(%12, [-1], false, none)
  return %13
)",
                    by_hand()),
            R"(step 0: conv_158x10x32_relu
  %26: f32[2,32,79]{2528,1,32} = torchweld::conv2d(%0, %1, %25, [5], [0], [1], 1, %19)
  %27: f32[2,32,79]{2528,1,32} = aten::relu(%26)
step 1: conv_158x96x32_add
  %28: f32[2,32,79]{2528,1,32} = torchweld::conv2d(%27, %2, %4, [1], [4], [4], 1)
  %29: f32[2,32,79]{2528,1,32} = aten::add.Tensor(%28, %27, 1)
step 2: depthwise_conv_158x5x32
  %30: f32[2,32,79]{2528,1,32} = torchweld::conv2d(%29, %3, %4, [1], [2], [1], 32)
step 3: max_pool_78x2x32
  %31: f32[2,32,39]{1248,1,32} = aten::max_pool1d(%30, [2], [2], [0], [1], false)
step 4: avg_pool_2x39x32
  %33: f32[2,32,1]{32,1,32} = aten::adaptive_avg_pool1d(%31, [1])
return %13 in output of 256 bytes
arena 63104 of 93376 bytes
)");
}

TEST(ImageConvStep, ViewsOfSignalsAreNotCopied) {
  EXPECT_EQ(planned(R"(graph(%0: f32[2,64,50]):
  %1: f32[128,64,3] = constant(0)
  %2: f32[64,64,3] = constant(1)
  %3: f32[64] = constant(2)
  %4: f32[96,64] = constant(3)
  %5: f32[2,128,50] = aten::conv1d(%0, %1, none, [1], [1], [1], 1)
  %6: f32[2,64,50]{6400,50,1} @%5, %7: f32[2,64,50]{6400,50,1} @%5+3200 = aten::chunk(%5, 2, 1)
  %8: f32[2,64,50] = aten::sigmoid(%6)
  %9: f32[2,64,50] = aten::mul.Tensor(%8, %7)
  %10: f32[2,64,50] = aten::conv1d(%9, %2, none, [1], [1], [1], 1)
  %11: f32[2,50,64]{3200,1,50} @%10 = aten::transpose.int(%10, 1, 2)
  %12: f32[2,50,64] = aten::layer_norm(%11, [64], %3, %3, 1e-05, true)
  %13: f32[2,50,96] = aten::linear(%12, %4, none)
  %14: f32[2,64,48]{3200,50,1} @%10 = aten::slice.Tensor(%10, 2, 0, 48, 1)
  %15: f32[2,64,46] = aten::conv1d(%14, %2, none, [1], [0], [1], 1)
  %16: f32[2,46,64]{2944,1,46} @%15 = aten::transpose.int(%15, 1, 2)
  %17: f32[2,46,64]{2944,1,46} = aten::gelu(%16, "none")
  return %13, %17
)",
                    by_hand()),
            R"(step 0: fused single_copy_f32 over [2,50,64]
  %19: f32[2,50,64] = aten::clone(%18, 0)
  load  %18 in input 0 {3200,1,50}
  store %19 in arena 78592..104192 {3200,64,1}
step 1: conv_100x192x128
  %21: f32[2,128,50]{6400,1,128} = torchweld::conv2d(%20, %1, none, [1], [1], [1], 1)
step 2: fused fused_sigmoid_mul_f32 over [100,64]
  %23: f32[2,64,50]{3200,1,64} = aten::sigmoid(%22)
  %25: f32[2,64,50]{3200,1,64} = aten::mul.Tensor(%23, %24)
  load  %22 in arena 0..51200 {128,1}
  load  %24 in arena 0..51200 +256 {128,1}
  store %25 in arena 51200..76800 {64,1}
step 3: conv_100x192x64
  %26: f32[2,64,50]{3200,1,64} = torchweld::conv2d(%25, %2, none, [1], [1], [1], 1)
step 4: fused single_layer_norm_f32 over [100,64]
  %34: f32[2,50,1] = aten::sum.dim_IntList(%27, [2], true, none)
  %35: f32[2,50,1] = aten::div.Scalar(%34, 64.0)
  %36: f32[2,50,64] = aten::sub.Tensor(%27, %35, 1)
  %37: f32[2,50,1] = aten::sum.dim_IntList(%36, [2], true, none)
  %38: f32[2,50,1] = aten::mul.Scalar(%37, 0.015625)
  %39: f32[2,50,1] = aten::add.Tensor(%35, %38, 1)
  %40: f32[2,50,64] = aten::sub.Tensor(%27, %39, 1)
  %41: f32[2,50,64] = aten::mul.Tensor(%36, %36)
  %42: f32[2,50,1] = aten::sum.dim_IntList(%41, [2], true, none)
  %43: f32[2,50,1] = aten::div.Scalar(%42, 64.0)
  %44: f32[2,50,1] = aten::mul.Tensor(%38, %38)
  %45: f32[2,50,1] = aten::sub.Tensor(%43, %44, 1)
  %46: f32[2,50,1] = aten::add.Scalar(%45, 1e-05, 1)
  %47: f32[2,50,1] = aten::rsqrt(%46)
  %48: f32[2,50,64] = aten::mul.Tensor(%40, %47)
  %49: f32[2,50,64] = aten::mul.Tensor(%48, %3)
  %50: f32[2,50,64] = aten::add.Tensor(%49, %3, 1)
  load  %27 in arena 76800..102400 {64,1}
  load  %3 in constant 2 {0,1}
  store %50 in arena 0..25600 {64,1}
step 5: matmul_100x64x96
  %13: f32[2,50,96] = aten::linear(%12, %4, none)
  x in arena 0..25600 {64,1}
  weight %4 {1,64}
  out in output of 38400 bytes {96,1}
step 6: conv_92x192x64_then_gelu_f32
  %29: f32[2,64,46]{2944,1,64} = torchweld::conv2d(%28, %2, none, [1], [0], [1], 1)
  %33: f32[2,46,64] = aten::gelu(%30, "none")
  load  %33 in arena 0..23552 {1}
  store %33 in arena 0..23552 {1}
step 7: fused single_copy_f32 over [2,64,46]
  %31: f32[2,64,46] = aten::clone(%32, 0)
  load  %32 in arena 0..23552 {2944,1,64}
  store %31 in output of 23552 bytes {2944,46,1}
return %13 in output of 38400 bytes, %17 in output of 23552 bytes
arena 104192 of 232704 bytes
)");
}

TEST(ImageConvStep, TransposedConvolutionsTakeTheSame) {
  EXPECT_EQ(planned(R"(graph(%0: f32[1,32,20]):
  %1: f32[32,48,8] = constant(0)
  %2: f32[48] = constant(1)
  %3: f32[48,16,2,2] = constant(2)
  %4: f32[1,48,80] = aten::conv_transpose1d(%0, %1, none, [4], [2], [0], 1, [1])
  %5: f32[1,48,80] = aten::batch_norm(%4, %2, %2, %2, %2, false, 0.1, 1e-05, true)
  %6: f32[1,48,80] = aten::relu(%5)
  %7: f32[1,48,8,10] @%6 = aten::view(%6, [1, 48, 8, 10])
  %8: f32[1,16,16,20] = aten::convolution(%7, %3, none, [2, 2], [0, 0], [1, 1], true, [0, 0], 1)
  %9: f32[1,16,16,20] = aten::silu(%8)
  return %9
)",
                    by_hand()),
            R"(step 0: fused single_copy_f32 over [20,32]
  %31: f32[1,20,32] = aten::clone(%30, 0)
  load  %30 in input 0 {1,20}
  store %31 in arena 2816..5376 {32,1}
step 1: conv_transpose_80x256x48_relu
  %33: f32[1,48,80]{3840,1,48} = torchweld::conv_transpose2d(%32, %25, %21, [4], [2], [0], 1, [1], %15)
  %34: f32[1,48,80]{3840,1,48} = aten::relu(%33)
step 2: conv_transpose_320x192x16
  %36: f32[1,16,16,20]{5120,1,320,16} = torchweld::conv_transpose2d(%35, %29, none, [2, 2], [0, 0], [0, 0], 1, [1, 1])
step 3: fused fused_silu_copy_f32 over [16,320]
  %37: f32[1,16,16,20]{5120,1,320,16} = aten::silu(%36)
  %9: f32[1,16,16,20] = aten::clone(%37, 0)
  load  %36 in arena 0..20480 {1,16}
  store %9 in output of 20480 bytes {320,1}
return %9 in output of 20480 bytes
arena 35840 of 41216 bytes
)");
}

/// A filter smaller than its stride, a dilated one, one of groups, one that is an input, more
/// padding than filter.
TEST(ImageConvStep, OtherTransposedConvolutionsStay) {
  const auto taken = [](const std::string& arguments) {
    const std::string text = planned(
        "graph(%0: f32[1,64,200], %3: f32[64,64,4]):\n  %1: f32[64,64,3] = constant(0)\n"
        "  %2: f32[64,64,4] = constant(1)\n"
        "  %4: f32[1,64,400] = aten::conv_transpose1d(%0, " +
            arguments + ")\n  return %4\n",
        by_hand());
    return text.find("torchweld::") != std::string::npos;
  };
  EXPECT_TRUE(taken("%2, none, [2], [1], [0], 1, [1]"));
  EXPECT_TRUE(taken("%1, none, [2], [1], [0], 1, [1]"));
  for (const char* arguments :
       {"%1, none, [4], [1], [0], 1, [1]", "%2, none, [2], [1], [0], 1, [2]",
        "%2, none, [2], [1], [0], 2, [1]", "%3, none, [2], [1], [0], 1, [1]",
        "%2, none, [2], [4], [0], 1, [1]"})
    EXPECT_FALSE(taken(arguments)) << arguments;
}

TEST(PackedConv, AnImageOfOnePixelIsSharedAndNotCopied) {
  EXPECT_EQ(planned(R"(graph(%0: f32[2,3,8,8]):
  %1: f32[16,3,3,3] = constant(0)
  %2: f32[2,16,6,6] = aten::conv2d(%0, %1, none, [1, 1], [0, 0], [1, 1], 1)
  %3: f32[2,16,1,1] = aten::adaptive_avg_pool2d(%2, [1, 1])
  %4: f32[2,16] @%3 = aten::flatten.using_ints(%3, 1, -1)
  %5: f32[2,16] = aten::sigmoid(%4)
  return %5
)",
                    packs()),
            R"(step 0: library mkldnn::_convolution_pointwise
  %7: f32[2,16,6,6]{576,1,96,16} = mkldnn::_convolution_pointwise(%0, %6, none, [0, 0], [1, 1], [1, 1], 1, "none", floats[], "")
step 1: eager aten::adaptive_avg_pool2d, since no kernel is written for it
  %8: f32[2,16,1,1]{16,1,16,16} = aten::adaptive_avg_pool2d(%7, [1, 1])
  release %7
step 2: fused single_sigmoid_f32 over [32]
  %5: f32[2,16] = aten::sigmoid(%4)
  load  %4 in eager {1}
  store %5 in output of 128 bytes {1}
  release %3, %4, %8
return %5 in output of 128 bytes
arena 0 of 0 bytes
)");
}

TEST(PackedConv, WhatSomebodyElseReadsIsNotAbsorbed) {
  EXPECT_EQ(planned(R"(graph(%0: f32[1,64,8,8]):
  %1: f32[64,64,3,3] = constant(0)
  %2: f32[1,64,6,6] = aten::conv2d(%0, %1, none, [1, 1], [0, 0], [1, 1], 1)
  %3: f32[1,64,6,6] = aten::relu(%2)
  return %2, %3
)",
                    packs()),
            R"(step 0: fused single_copy_f32 over [64,64]
  %5: f32[1,64,8,8]{4096,1,512,64} = aten::clone(%0, 2)
  load  %0 in input 0 {1,64}
  store %5 in arena 0..16384 {64,1}
step 1: library mkldnn::_convolution_pointwise
  %6: f32[1,64,6,6]{2304,1,384,64} = mkldnn::_convolution_pointwise(%5, %4, none, [0, 0], [1, 1], [1, 1], 1, "none", floats[], "")
step 2: fused fused_relu_copy_f32 over [64,36]
  %7: f32[1,64,6,6]{2304,1,384,64} = aten::relu(%6)
  %3: f32[1,64,6,6] = aten::clone(%7, 0)
  load  %6 in eager {1,64}
  store %3 in output of 9216 bytes {36,1}
step 3: fused single_copy_f32 over [64,36]
  %2: f32[1,64,6,6] = aten::clone(%6, 0)
  load  %6 in eager {1,64}
  store %2 in output of 9216 bytes {36,1}
  release %6
return %2 in output of 9216 bytes, %3 in output of 9216 bytes
arena 16384 of 16384 bytes
)");
}

TEST(PackedConv, ALoneConvolutionOfFewProductsIsNotWorthTheCopies) {
  const std::string text = planned(R"(graph(%0: f32[1,16,512,512]):
  %1: f32[16,1,1,1] = constant(0)
  %2: f32[1,16,512,512] = aten::conv2d(%0, %1, none, [1, 1], [0, 0], [1, 1], 16)
  return %2
)",
                                   packs());
  EXPECT_EQ(text.substr(0, text.find('\n')), "step 0: library aten::conv2d");
}

TEST(PackedConv, LeavesFewChannelsTransposedAndOtherTypesAlone) {
  for (const std::string convolution :
       {"aten::conv2d(%0, %1, none, [1, 1], [0, 0], [1, 1], 1)",
        "aten::convolution(%0, %2, none, [1, 1], [0, 0], [1, 1], true, [0, 0], 1)"}) {
    const std::string sizes = convolution.find("true") == std::string::npos ? "8,6,6" : "64,10,10";
    const std::string text = planned(
        "graph(%0: f32[1,16,8,8]):\n  %1: f32[8,16,3,3] = constant(0)\n"
        "  %2: f32[16,64,3,3] = constant(1)\n  %3: f32[1," +
            sizes + "] = " + convolution + "\n  return %3\n",
        packs());
    EXPECT_EQ(text.find("mkldnn"), std::string::npos) << text;
  }
}

TEST(PackedConv, AViewOfAnImageIsComparedAsTruthNotAsFloats) {
  const std::string plan = planned(R"(graph(%0: f32[1,16,5,6]):
  %1: f32[16,16,1,1] = constant(0)
  %2: f32[1,16,5,6] = aten::conv2d(%0, %1, none, [1, 1], [0, 0], [1, 1], 1)
  %3: f32[16,5,6] @%2 = aten::squeeze(%2)
  %4: bool[16,5,6] = aten::eq.Scalar(%3, 1)
  return %4
)",
                                   by_hand());
  EXPECT_NE(plan.find(": bool[1,16,5,6] = aten::clone("), std::string::npos) << plan;
  EXPECT_NE(plan.find("return %4 in output of 480 bytes"), std::string::npos) << plan;
}

}  // namespace
}  // namespace torchweld::testing
