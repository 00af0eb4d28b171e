// Reductions and what surrounds them as one kernel, and products as the library's calls, on targets
// that have them.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

TEST(Rows, SoftmaxAndItsNeighboursAreOneKernel) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30], %1: f32[30]):
  %2: f32[4,30] = aten::add.Tensor(%0, %1, 1)
  %3: f32[4,30] = aten::softmax.int(%2, -1, none)
  %4: f32[4,30] = aten::mul.Scalar(%3, 2)
  return %4
)"),
            R"(kernel fused_add_softmax_mul_f32 rank 2 reduced 1
  in0: f32[*1]
  in1: f32[01]
  %0 = load f32 in0
  %1 = load f32 in1
  %2 = add f32 %0 %1
  %3 = largest f32 %2
  %4 = sub f32 %2 %3
  %5 = exp f32 %4
  %6 = sum f32 %5
  %7 = div f32 %5 %6
  %8 = const f32 2
  %9 = mul f32 %7 %8
  out0: f32[*1] = %9
)");
}

TEST(Rows, ANormWrittenOutIsOneKernel) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30], %1: f32[30]):
  %2: f32[4,30] = aten::mul.Tensor(%0, %0)
  %3: f32[4,1] = aten::mean.dim(%2, [-1], true, none)
  %4: f32[4,1] = aten::add.Scalar(%3, 1e-05, 1)
  %5: f32[4,1] = aten::rsqrt(%4)
  %6: f32[4,30] = aten::mul.Tensor(%0, %5)
  %7: f32[4,30] = aten::mul.Tensor(%6, %1)
  return %7
)"),
            R"(kernel fused_mul_mean_add_rsqrt_mul_mul_f32 rank 2 reduced 1
  in0: f32[*1]
  in1: f32[01]
  %0 = load f32 in0
  %1 = mul f32 %0 %0
  %2 = sum f32 %1
  %3 = const f32 30
  %4 = div f32 %2 %3
  %5 = const f32 9.999999747378752e-06
  %6 = add f32 %4 %5
  %7 = rsqrt f32 %6
  %8 = mul f32 %0 %7
  %9 = load f32 in1
  %10 = mul f32 %8 %9
  out0: f32[*1] = %10
)");
}

TEST(Rows, HalvesAreWideInsideANormAndRoundOnce) {
  EXPECT_EQ(steps(R"(graph(%0: f16[4,30]):
  %1: f16[4,30] = aten::log_softmax.int(%0, 1, none)
  return %1
)"),
            R"(kernel single_log_softmax_f16 rank 2 reduced 1
  in0: f16[*1]
  %0 = load f32 in0
  %1 = largest f32 %0
  %2 = sub f32 %0 %1
  %3 = exp f32 %2
  %4 = sum f32 %3
  %5 = log f32 %4
  %6 = sub f32 %2 %5
  %7 = round_to f32 f16 %6
  out0: f16[*1] = %7
)");
}

TEST(Rows, AResultWithoutTheReducedDimIsStoredOnceARow) {
  EXPECT_EQ(steps(R"(graph(%0: f32[2,3,4]):
  %1: f32[2,4] = aten::sum.dim_IntList(%0, [1], false, none)
  %2: f32[2,4] = aten::relu(%1)
  return %1, %2
)"),
            R"(kernel fused_sum_relu_f32 rank 3 reduced 1
  in0: f32[*1*]
  %0 = load f32 in0
  %1 = sum f32 %0
  %2 = const f32 0
  %3 = max f32 %1 %2
  out0: f32[*10] = %1 a row
  out1: f32[*10] = %3 a row
)");
}

TEST(Rows, ReductionsOverOtherDimsAreOtherKernels) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30]):
  %1: f32[4,1] = aten::amax(%0, [1], true)
  %2: f32[1,30] = aten::amax(%0, [0], true)
  return %1, %2
)"),
            R"(kernel single_amax_f32 rank 2 reduced 1
  in0: f32[*1]
  %0 = load f32 in0
  %1 = largest f32 %0
  out0: f32[10] = %1 a row
kernel single_amax_f32 rank 2 reduced 1
  in0: f32[1*]
  %0 = load f32 in0
  %1 = largest f32 %0
  out0: f32[10] = %1 a row
)");
}

TEST(Rows, WithoutRowsSoftmaxIsOneStepOfLibTorch) {
  const Plan made = plan(parse_graph(R"(graph(%0: f32[4,30]):
  %1: f32[4,30] = aten::softmax.int(%0, -1, none)
  return %1
)"),
                         target());
  ASSERT_EQ(made.steps.size(), 1u);
  EXPECT_EQ(made.steps[0].kind, Step::Kind::kEager);
}

TEST(Matmul, TransposedOperandsAreReadWhereTheyAre) {
  EXPECT_EQ(planned(R"(graph(%0: f32[3,5,8]{40,1,5}, %1: f32[3,8,4]):
  %2: f32[3,5,4] = aten::bmm(%0, %1)
  return %2
)",
                    rows()),
            R"(step 0: matmul_5x8x4_f32
  %2: f32[3,5,4] = aten::bmm(%0, %1)
  f32 4x5x8 NT batch 3
  a %1 in input 1, b %0 in input 0
  out %2 in output of 240 bytes
return %2 in output of 240 bytes
arena 64 of 64 bytes
)");
}

TEST(Matmul, AMatrixThatIsAddedIsTheLibrarysC) {
  EXPECT_EQ(planned(R"(graph(%0: f16[5,4], %1: f16[5,8], %2: f16[8,4]):
  %3: f16[5,4] = aten::addmm(%0, %1, %2, 0.5, 2)
  return %3
)",
                    rows()),
            R"(step 0: matmul_5x8x4_f16
  %3: f16[5,4] = aten::addmm(%0, %1, %2, 0.5, 2)
  f16 4x5x8 NN add
  a %2 in input 2, b %1 in input 1, c %0 in input 0
  out %3 in output of 40 bytes
return %3 in output of 40 bytes
arena 64 of 64 bytes
)");
}

TEST(Matmul, HeadsOfAttentionAreABatchThatIsRepeated) {
  EXPECT_EQ(planned(R"(graph(%0: f32[2,4,12,16]{2304,16,192,1}, %1: f32[2,4,16,12]{2304,16,1,192}):
  %2: f32[2,4,12,12] = aten::matmul(%0, %1)
  return %2
)",
                    rows()),
            R"(step 0: matmul_12x16x12_f32
  %2: f32[2,4,12,12] = aten::matmul(%0, %1)
  f32 12x12x16 TN batch 4, 2 times
  a %1 in input 1, b %0 in input 0
  out %2 in output of 4608 bytes
return %2 in output of 4608 bytes
arena 64 of 64 bytes
)");
}

TEST(Matmul, RowsThatNoLeadingDimensionDescribesAreCopied) {
  EXPECT_EQ(steps(R"(graph(%0: f32[5,8]{16,2}, %1: f32[8,4]):
  %2: f32[5,4] = aten::mm(%0, %1)
  return %2
)"),
            R"(kernel single_mm_f32 rank 1
  in0: f32[*]
  %0 = load f32 in0
  out0: f32[1] = %0
matmul_5x8x4_f32
)");
}

}  // namespace
}  // namespace torchweld::testing
