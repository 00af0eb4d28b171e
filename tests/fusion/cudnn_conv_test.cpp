// Convolutions on CUDA with their relu, and the layout between them.
#include "fusion/cudnn_conv.h"

#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

Target cudnn(bool tf32 = false) {
  Target on = rows();
  on.cudnn = true;
  on.cudnn_tf32 = tf32;
  return on;
}

constexpr const char* kResidual = R"(graph(%0: f32[1,16,8,8]):
  %1: f32[16,16,3,3] = constant(0)
  %2: f32[16] = constant(1)
  %3: f32[16] = constant(2)
  %4: f32[1,16,8,8] = aten::conv2d(%0, %1, none, [1, 1], [1, 1], [1, 1], 1)
  %5: f32[1,16,8,8] = aten::batch_norm(%4, %2, %2, %2, %3, false, 0.1, 1e-05, true)
  %6: f32[1,16,8,8] = aten::relu(%5)
  %7: f32[1,16,8,8] = aten::conv2d(%6, %1, %2, [1, 1], [1, 1], [1, 1], 1)
  %8: f32[1,16,8,8] = aten::add.Tensor(%0, %7, 1)
  %9: f32[1,16,8,8] = aten::relu(%8)
  return %9
)";

TEST(CudnnConv, TakesBatchNormSummandAndRelu) {
  EXPECT_EQ(planned(kResidual, cudnn()), R"(step 0: library aten::cudnn_convolution_relu
  %6: f32[1,16,8,8] = aten::cudnn_convolution_relu(%0, %23, %21, [1, 1], [1, 1], [1, 1], 1)
step 1: library aten::cudnn_convolution_add_relu
  %9: f32[1,16,8,8] = aten::cudnn_convolution_add_relu(%6, %1, %0, 1, %2, [1, 1], [1, 1], [1, 1], 1)
  release %6
return %9 in eager
arena 0 of 0 bytes
)");
}

TEST(CudnnConv, ImagesStayChannelsLastBetweenTensorCores) {
  EXPECT_EQ(planned(kResidual, cudnn(true)), R"(step 0: fused single_copy_f32 over [64,16]
  %26: f32[1,16,8,8]{1024,1,128,16} = aten::clone(%0, 2)
  load  %0 in input 0 {1,64}
  store %26 in arena 0..4096 {16,1}
step 1: library aten::cudnn_convolution_relu
  %27: f32[1,16,8,8]{1024,1,128,16} = aten::cudnn_convolution_relu(%26, %24, %21, [1, 1], [1, 1], [1, 1], 1)
step 2: library aten::cudnn_convolution_add_relu
  %28: f32[1,16,8,8]{1024,1,128,16} = aten::cudnn_convolution_add_relu(%27, %25, %26, 1, %2, [1, 1], [1, 1], [1, 1], 1)
  release %27
step 3: fused single_copy_f32 over [16,64]
  %9: f32[1,16,8,8] = aten::clone(%28, 0)
  load  %28 in eager {1,16}
  store %9 in output of 4096 bytes {64,1}
  release %28
return %9 in output of 4096 bytes
arena 4096 of 4096 bytes
)");
}

/// A half's sum is rounded before its relu, and its batch norm stays apart.
TEST(CudnnConv, HalvesTakeReluAloneAndAreChannelsLast) {
  EXPECT_EQ(planned(R"(graph(%0: f16[2,3,16,16]):
  %1: f16[16,3,3,3] = constant(0)
  %2: f16[16] = constant(1)
  %3: f16[16,16,3,3] = constant(2)
  %4: f16[2,16,16,16] = aten::conv2d(%0, %1, %2, [1, 1], [1, 1], [1, 1], 1)
  %5: f16[2,16,16,16] = aten::relu(%4)
  %6: f16[2,16,8,8] = aten::max_pool2d(%5, [2, 2], [2, 2], [0, 0], [1, 1], false)
  %7: f16[2,16,8,8] = aten::_convolution(%6, %3, %2, [1, 1], [1, 1], [1, 1], false, [0, 0], 1, false, false, true, true)
  %8: f16[2,16,8,8] = aten::add.Tensor(%7, %6, 1)
  %9: f16[2,16,8,8] = aten::relu(%8)
  return %9
)",
                    cudnn()),
            R"(step 0: fused single_copy_f16 over [2,256,3]
  %12: f16[2,3,16,16]{768,1,48,3} = aten::clone(%0, 2)
  load  %0 in input 0 {768,1,256}
  store %12 in arena 0..3072 {768,3,1}
step 1: library aten::cudnn_convolution_relu
  %13: f16[2,16,16,16]{4096,1,256,16} = aten::cudnn_convolution_relu(%12, %10, %2, [1, 1], [1, 1], [1, 1], 1)
step 2: fused single_max_pool2d_f16 over [16,8,16,2,2]
  %14: f16[2,16,8,8]{1024,1,128,16} = aten::max_pool2d(%13, [2, 2], [2, 2], [0, 0], [1, 1], false)
  load  %13 in eager {512,32,1,256,16}
  store %14 in arena 0..4096 {128,16,1,0,0}
  release %13
step 3: library aten::_convolution
  %15: f16[2,16,8,8]{1024,1,128,16} = aten::_convolution(%14, %11, %2, [1, 1], [1, 1], [1, 1], false, [0, 0], 1, false, false, true, true)
step 4: fused fused_add_relu_copy_f16 over [2,16,64]
  %16: f16[2,16,8,8]{1024,1,128,16} = aten::add.Tensor(%15, %14, 1)
  %17: f16[2,16,8,8]{1024,1,128,16} = aten::relu(%16)
  %9: f16[2,16,8,8] = aten::clone(%17, 0)
  load  %15 in eager {1024,1,16}
  load  %14 in arena 0..4096 {1024,1,16}
  store %9 in output of 4096 bytes {1024,64,1}
  release %15
return %9 in output of 4096 bytes
arena 4096 of 7168 bytes
)");
}

/// It would have copies before and behind, as many as cuDNN makes itself.
TEST(CudnnConv, ALoneConvolutionStaysAsItLies) {
  const std::string text = planned(R"(graph(%0: f16[2,16,8,8]):
  %1: f16[16,16,3,3] = constant(0)
  %2: f16[2,16,6,6] = aten::conv2d(%0, %1, none, [1, 1], [0, 0], [1, 1], 1)
  return %2
)",
                                   cudnn());
  EXPECT_EQ(text.find("clone"), std::string::npos) << text;
  EXPECT_EQ(text.substr(0, text.find('\n')), "step 0: library aten::conv2d");
}

/// Where images are channels-last already, the weights alone are laid out, once for two readers.
TEST(CudnnConv, WeightsFollowTheCallersLayout) {
  const Plan made = plan(parse_graph(R"(graph(%0: f16[1,16,8,8]{1024,1,128,16}):
  %1: f16[16,16,3,3] = constant(0)
  %2: f16[1,16,6,6]{576,1,96,16} = aten::conv2d(%0, %1, none, [1, 1], [0, 0], [1, 1], 1)
  %3: f16[1,16,4,4]{256,1,64,16} = aten::conv2d(%2, %1, none, [1, 1], [0, 0], [1, 1], 1)
  return %3
)"),
                         cudnn());
  EXPECT_EQ(made.steps.size(), 2u);
  ASSERT_EQ(made.graph.setup.size(), 1u);
  EXPECT_EQ(made.graph.setup[0].op, "aten::clone");
  const std::vector<int64_t> channels_last = {144, 1, 48, 16};
  EXPECT_EQ(made.graph.value(made.graph.setup[0].outputs[0]).strides, channels_last);
}

/// Several groups, a float64, weights that are an input, a summand that broadcasts, a factor, a
/// reader beside relu; and a convolution with relu in exact numerics, which have no such target.
TEST(CudnnConv, OthersStay) {
  const auto text_of = [](const std::string& dtype, const std::string& nodes,
                          const std::string& results = "%9") {
    return planned("graph(%0: " + dtype + "[1,16,8,8], %1: " + dtype + "[16,16,1,1], %2: " + dtype +
                       "[16,1,1]):\n  %3: " + dtype + "[16,16,1,1] = constant(0)\n  %4: " + dtype +
                       "[16,8,1,1] = constant(1)\n" + nodes + "  return " + results + "\n",
                   cudnn());
  };
  const auto taken = [](const std::string& text) {
    return text.find("cudnn") != std::string::npos;
  };
  const auto with_relu = [](const std::string& type, const std::string& arguments) {
    return "  %5: " + type + "[1,16,8,8] = aten::conv2d(" + arguments + ")\n  %9: " + type +
           "[1,16,8,8] = aten::relu(%5)\n";
  };
  const std::string plain = "%0, %3, none, [1, 1], [0, 0], [1, 1], 1";
  EXPECT_TRUE(taken(text_of("f32", with_relu("f32", plain))));
  EXPECT_TRUE(taken(text_of("f16", with_relu("f16", plain))));
  EXPECT_FALSE(taken(text_of("bf16", with_relu("bf16", plain))));
  EXPECT_FALSE(taken(text_of("f64", with_relu("f64", plain))));
  EXPECT_FALSE(taken(text_of("f32", with_relu("f32", "%0, %4, none, [1, 1], [0, 0], [1, 1], 2"))));
  EXPECT_FALSE(taken(text_of("f32", with_relu("f32", "%0, %1, none, [1, 1], [0, 0], [1, 1], 1"))));
  EXPECT_FALSE(taken(text_of("f32", with_relu("f32", plain), "%5, %9")));
  const auto with_sum = [&](const std::string& sum) {
    return "  %5: f32[1,16,8,8] = aten::conv2d(" + plain + ")\n  %6: f32[1,16,8,8] = aten::" + sum +
           "\n  %9: f32[1,16,8,8] = aten::relu(%6)\n";
  };
  EXPECT_TRUE(taken(text_of("f32", with_sum("add.Tensor(%5, %0, 1)"))));
  EXPECT_FALSE(taken(text_of("f32", with_sum("add.Tensor(%5, %2, 1)"))));
  EXPECT_FALSE(taken(text_of("f32", with_sum("add.Tensor(%5, %0, 2)"))));
  EXPECT_FALSE(taken(text_of("f32", with_sum("mul.Tensor(%5, %0)"))));
  Target exact = rows();
  exact.rounding = Rounding::kExact;
  EXPECT_FALSE(taken(planned(kResidual, exact)));
}

}  // namespace
}  // namespace torchweld::testing
