// Convolutions with what follows them as one operator of oneDNN, and the layout between them.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

Target packs() {
  Target on;
  on.packed_convolutions = true;
  return on;
}

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
  %23: f32[1,64,8,8]{4096,1,512,64} = aten::clone(%0, 2)
  load  %0 in input 0 {1,64}
  store %23 in arena 0..16384 {64,1}
step 1: library mkldnn::_convolution_pointwise
  %24: f32[1,64,8,8]{4096,1,512,64} = mkldnn::_convolution_pointwise(%23, %21, %18, [1, 1], [1, 1], [1, 1], 1, "none", floats[], "")
step 2: fused fused_add_relu_f32 over [64,64]
  %25: f32[1,64,8,8]{4096,1,512,64} = aten::add.Tensor(%24, %0, 1)
  %26: f32[1,64,8,8]{4096,1,512,64} = aten::relu(%25)
  load  %24 in eager {64,1}
  load  %0 in input 0 {1,64}
  store %26 in arena 0..16384 {64,1}
  release %24
step 3: eager aten::max_pool2d, since not a pointwise operator
  %27: f32[1,64,4,4]{1024,1,256,64} = aten::max_pool2d(%26, [2, 2], [2, 2], [0, 0], [1, 1], false)
step 4: library mkldnn::_convolution_pointwise
  %28: f32[1,64,4,4]{1024,1,256,64} = mkldnn::_convolution_pointwise(%27, %22, %2, [1, 1], [1, 1], [1, 1], 1, "swish", floats[], "")
  release %27
step 5: fused single_copy_f32 over [64,16]
  %12: f32[1,64,4,4] = aten::clone(%28, 0)
  load  %28 in eager {1,64}
  store %12 in output of 4096 bytes {16,1}
  release %28
return %12 in output of 4096 bytes
arena 16384 of 32768 bytes
)");
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
step 1: eager aten::adaptive_avg_pool2d, since not a pointwise operator
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

TEST(PackedConv, ALoneConvolutionOfFewChannelsIsNotWorthTheCopies) {
  const std::string text = planned(R"(graph(%0: f32[1,16,8,8]):
  %1: f32[16,16,3,3] = constant(0)
  %2: f32[1,16,6,6] = aten::conv2d(%0, %1, none, [1, 1], [0, 0], [1, 1], 1)
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

}  // namespace
}  // namespace torchweld::testing
