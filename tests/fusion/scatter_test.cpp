// Writes to places that a tensor names, on targets whose kernels scatter.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

TEST(Scatter, TheTargetIsCopiedFirstAndWhatIsAddedIsComputedInTheKernel) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30], %1: i64[9,30], %2: f32[9,30]):
  %3: f32[9,30] = aten::relu(%2)
  %4: f32[4,30] = aten::scatter_add(%0, 0, %1, %3)
  return %4
)"),
            R"(kernel single_scatter_add_f32 rank 1
  in0: f32[1]
  %0 = load f32 in0
  out0: f32[1] = %0
kernel fused_relu_scatter_add_f32 rank 2
  in0: f32[*1]
  in1: i64[*1]
  %0 = load f32 in0
  %1 = const f32 0
  %2 = max f32 %0 %1
  %3 = const i64 0
  %4 = param i64 0
  %5 = load i64 in1
  %6 = lt bool %5 %4
  %7 = le bool %3 %5
  %8 = and bool %6 %7
  %9 = param i64 1
  %10 = mul i64 %5 %9
  out0: f32[01] += %2 at %10 if %8
)");
}

TEST(Scatter, AnIndexOfOneDimNamesSlicesAndMayCountFromTheEnd) {
  EXPECT_EQ(steps(R"(graph(%0: f16[4,30], %1: i64[3]):
  %2: f16[4,30] = aten::index_fill.int_Scalar(%0, 0, %1, 0.5)
  return %2
)"),
            R"(kernel single_index_fill_f16 rank 1
  in0: f16[1]
  %0 = load f32 in0
  out0: f16[1] = %0
kernel single_index_fill_f16 rank 2
  in0: i64[10]
  %0 = const i64 0
  %1 = param i64 0
  %2 = load i64 in0
  %3 = lt bool %2 %0
  %4 = add i64 %1 %2
  %5 = select i64 %3 %4 %2
  %6 = lt bool %5 %1
  %7 = le bool %0 %5
  %8 = and bool %6 %7
  %9 = param i64 1
  %10 = mul i64 %5 %9
  %11 = const f32 0.5
  out0: f16[01] = %11 at %10 if %8
)");
}

TEST(Scatter, AMemberThatReadsTheTargetStaysOutOfTheKernelThatWritesIt) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30], %1: i64[4,30]):
  %2: f32[4,30] = aten::mul.Scalar(%0, 2)
  %0 = %0 <- aten::scatter_add_(%0, 0, %1, %2)
  return %0, %2
)"),
            R"(kernel single_mul_f32 rank 1
  in0: f32[1]
  %0 = load f32 in0
  %1 = const f32 2
  %2 = mul f32 %0 %1
  out0: f32[1] = %2
kernel single_scatter_add__f32 rank 2
  in0: i64[*1]
  in1: f32[*1]
  %0 = const i64 0
  %1 = param i64 0
  %2 = load i64 in0
  %3 = lt bool %2 %1
  %4 = le bool %0 %2
  %5 = and bool %3 %4
  %6 = param i64 1
  %7 = mul i64 %2 %6
  %8 = load f32 in1
  out0: f32[01] += %8 at %7 if %5
)");
}

TEST(Scatter, ASourceInTheMemoryThatIsWrittenStaysWithLibTorch) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30], %1: i64[4,30]):
  %0 = %0 <- aten::scatter_add_(%0, 0, %1, %0)
  return %0
)"),
            R"(aten::scatter_add_
)");
}

TEST(Scatter, BytesAreAddedOnlyWhereTheirWordsAreKnownToBeThere) {
  EXPECT_EQ(
      steps(
          R"(graph(%0: i8[3,3], %1: i64[3,3], %2: i8[3,3], %3: i8[4,4], %4: i64[4,4], %5: i8[4,4]):
  %6: i8[3,3] = aten::scatter_add(%0, 0, %1, %2)
  %7: i8[4,4] = aten::scatter_add(%3, 0, %4, %5)
  return %6, %7
)"),
      R"(aten::scatter_add
kernel single_scatter_add_i8 rank 1
  in0: i8[1]
  %0 = load i32 in0
  out0: i8[1] = %0
kernel single_scatter_add_i8 rank 2
  in0: i64[*1]
  in1: i8[*1]
  %0 = const i64 0
  %1 = param i64 0
  %2 = load i64 in0
  %3 = lt bool %2 %1
  %4 = le bool %0 %2
  %5 = and bool %3 %4
  %6 = mul i64 %1 %2
  %7 = load i32 in1
  out0: i8[01] += %7 at %6 if %5
)");
}

TEST(Scatter, ACopyIntoASliceIsPartOfTheKernelThatMakesItsSource) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30], %1: f32[4,9]):
  %2: f32[4,9] = aten::exp(%1)
  %3: f32[4,9]{30,1} @%0+3 = aten::slice.Tensor(%0, 1, 3, 12, 1)
  %3 = %3 <- aten::copy_(%3, %2, false)
  return %0
)"),
            R"(kernel fused_exp_copy_from_f32 rank 2
  in0: f32[*1]
  in1: f32[*1]
  %0 = load f32 in0
  %1 = exp f32 %0
  out0: f32[*1] = %1
)");
}

TEST(Scatter, WhatIsNotASumStaysWithLibTorchAndSaysSo) {
  const auto reason = [](const std::string& how) {
    const Plan made =
        plan(parse_graph("graph(%0: f32[4,30], %1: i64[9,30], %2: f32[9,30]):\n  %3: f32[4,30] = "
                         "aten::scatter_reduce.two(%0, 0, %1, %2, " +
                         how + ")\n  return %3\n"),
             rows());
    return made.steps.back().reason;
  };
  EXPECT_EQ(reason("\"amax\", true"), "keeps amax where data says; kernels add there, or write");
  EXPECT_EQ(reason("\"sum\", false"),
            "keeps sum where data says, without what was there; kernels add there, or write");
}

}  // namespace
}  // namespace torchweld::testing
