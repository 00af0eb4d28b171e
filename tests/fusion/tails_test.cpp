// Kernels that follow a hand-written product or convolution in the same step.
#include "fusion/tails.h"

#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

TEST(Tails, APointwiseKernelSharesTheProductsMemory) {
  EXPECT_EQ(planned(R"(graph(%0: f32[1,64,32], %1: f32[128]):
  %2: f32[128,32] = constant(0)
  %3: f32[1,64,128] = aten::linear(%0, %2, none)
  %4: f32[1,64,128] = aten::gelu(%3, "none")
  %5: f32[1,64,128] = aten::mul.Tensor(%4, %1)
  return %5
)",
                    target()),
            R"(step 0: matmul_64x32x128_then_gelu_mul_f32
  %3: f32[1,64,128] = aten::linear(%0, %2, none)
  %4: f32[1,64,128] = aten::gelu(%3, "none")
  %5: f32[1,64,128] = aten::mul.Tensor(%4, %1)
  x in input 0 {32,1}
  weight %2 {1,32}
  out in output of 32768 bytes {128,1}
  load  %5 in output of 32768 bytes {128,1}
  load  %1 in input 1 {0,1}
  store %5 in output of 32768 bytes {128,1}
return %5 in output of 32768 bytes
arena 0 of 0 bytes
)");
}

TEST(Tails, SoDoesANormOfItsRows) {
  Target rows = target();
  rows.float_rows = true;
  EXPECT_EQ(planned(R"(graph(%0: f32[64,32]):
  %1: f32[128,32] = constant(0)
  %2: f32[64,128] = aten::linear(%0, %1, none)
  %3: f32[64,128] = aten::softmax.int(%2, -1, none)
  return %3
)",
                    rows),
            R"(step 0: matmul_64x32x128_then_softmax_f32
  %2: f32[64,128] = aten::linear(%0, %1, none)
  %4: f32[64,1] = aten::amax(%2, [1], true)
  %5: f32[64,128] = aten::sub.Tensor(%2, %4, 1)
  %6: f32[64,128] = aten::exp(%5)
  %7: f32[64,1] = aten::sum.dim_IntList(%6, [1], true, none)
  %8: f32[64,128] = aten::div.Tensor(%6, %7)
  %3: f32[64,128] = aten::to.dtype(%8, 6, false, false, none)
  x in input 0 {32,1}
  weight %1 {1,32}
  out in output of 32768 bytes {128,1}
  load  %3 in output of 32768 bytes {128,1}
  store %3 in output of 32768 bytes {128,1}
return %3 in output of 32768 bytes
arena 0 of 0 bytes
)");
}

TEST(Tails, SiluAfterAConvolution) {
  Target packs = target();
  packs.packed_convolutions = true;
  EXPECT_EQ(planned(R"(graph(%0: f32[1,3,16,16]):
  %1: f32[32,3,3,3] = constant(0)
  %2: f32[1,32,16,16] = aten::conv2d(%0, %1, none, [1, 1], [1, 1], [1, 1], 1)
  %3: f32[1,32,16,16] = aten::silu(%2)
  %4: f32[1,32,1,1] = aten::adaptive_avg_pool2d(%3, [1, 1])
  return %4
)",
                    packs),
            R"(step 0: conv_256x27x32_then_silu_f32
  %5: f32[1,32,16,16]{8192,1,512,32} = torchweld::conv2d(%0, %1, none, [1, 1], [1, 1], [1, 1], 1)
  %6: f32[1,32,16,16]{8192,1,512,32} = aten::silu(%5)
  load  %6 in arena 0..32768 {1}
  store %6 in arena 0..32768 {1}
step 1: avg_pool_1x256x32
  %7: f32[1,32,1,1]{32,1,32,32} = aten::adaptive_avg_pool2d(%6, [1, 1])
return %4 in output of 128 bytes
arena 36800 of 36800 bytes
)");
}

TEST(Tails, NoneWhereOthersReadTheProductOrItLeavesOrRowsDiffer) {
  const char* const graphs[] = {
      R"(graph(%0: f32[64,32]):
  %1: f32[128,32] = constant(0)
  %2: f32[64,128] = aten::linear(%0, %1, none)
  %3: f32[64,128] = aten::gelu(%2, "none")
  %4: f32[64] = aten::logcumsumexp(%2, 0)
  return %3, %4
)",
      R"(graph(%0: f32[64,32]):
  %1: f32[128,32] = constant(0)
  %2: f32[64,128] = aten::linear(%0, %1, none)
  %3: f32[64,128] = aten::gelu(%2, "none")
  return %2, %3
)",
      R"(graph(%0: f32[64,32], %1: f32[128,64]):
  %2: f32[128,32] = constant(0)
  %3: f32[64,128] = aten::linear(%0, %2, none)
  %4: f32[128,64]{1,128} @%3 = aten::t(%3)
  %5: f32[128,64] = aten::mul.Tensor(%4, %1)
  return %5
)"};
  for (const char* graph : graphs) {
    const std::string text = planned(graph, target());
    EXPECT_EQ(text.find("_then_"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace torchweld::testing
