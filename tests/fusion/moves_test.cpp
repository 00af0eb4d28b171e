// Operators that move elements, as members of kernels on targets that take gathers.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

TEST(Moves, AFlipIsReadBackwards) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30]):
  %1: f32[4,30] = aten::flip(%0, [-1])
  %2: f32[4,30] = aten::relu(%1)
  return %2
)"),
            R"(kernel fused_flip_relu_f32 rank 2
  in0: f32[**]
  %0 = param i64 0
  %1 = load f32 in0 at %0
  %2 = const f32 0
  %3 = max f32 %1 %2
  out0: f32[*1] = %3
)");
}

TEST(Moves, WindowsAsColumnsAreACopyOfAView) {
  EXPECT_EQ(steps(R"(graph(%0: f32[1,3,8,9]):
  %1: f32[1,12,32] = aten::im2col(%0, [2, 2], [1, 1], [0, 0], [2, 1])
  %3: f32[1,12,25] = aten::im2col(%0, [2, 2], [1, 1], [1, 1], [2, 2])
  return %1, %3
)"),
            R"(kernel single_im2col_f32 rank 5
  in0: f32[**1*1]
  %0 = load f32 in0
  out0: f32[****1] = %0
kernel single_im2col_f32 rank 3
  in0: f32[**1]
  %0 = param i64 0
  %1 = coord i64 1
  %2 = sub i64 %1 %0
  %3 = param i64 1
  %4 = lt bool %2 %3
  %5 = const i64 0
  %6 = le bool %5 %2
  %7 = and bool %4 %6
  %8 = coord i64 2
  %9 = sub i64 %8 %0
  %10 = param i64 2
  %11 = lt bool %9 %10
  %12 = le bool %5 %9
  %13 = and bool %11 %12
  %14 = and bool %7 %13
  %15 = param i64 3
  %16 = load f32 in0 at %15 if %14
  out0: f32[**1] = %16
kernel single_im2col_f32 rank 5
  in0: f32[**1**]
  %0 = load f32 in0
  out0: f32[****1] = %0
)");
}

TEST(Moves, ColumnsAsWindowsAreSumsOfViews) {
  EXPECT_EQ(
      names("graph(%0: f32[1,12,20]):\n"
            "  %1: f32[1,3,8,10] = aten::col2im(%0, [8, 10], [2, 2], [1, 1], [0, 0], [2, 2])\n"
            "  return %1\n",
            float_rows()),
      "single_col2im_f32\n");  // beside each other
  EXPECT_EQ(names("graph(%0: f32[1,18,12]):\n"
                  "  %1: f32[1,2,5,7] = aten::col2im(%0, [5, 7], [3, 3], [1, 1], [1, 1], [2, 2])\n"
                  "  return %1\n",
                  float_rows()),
            "single_col2im_f32\nsingle_col2im_f32\nsingle_col2im_f32\nsingle_col2im_f32\n");
  EXPECT_EQ(names("graph(%0: f32[1,18,3]):\n"
                  "  %1: f32[1,2,5,7] = aten::col2im(%0, [5, 7], [3, 3], [2, 2], [0, 0], [1, 1])\n"
                  "  return %1\n",
                  float_rows()),
            "eager aten::col2im\n");  // spread
}

TEST(Moves, ARollWrapsByOneSelectADim) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30]):
  %1: f32[4,30] = aten::roll(%0, [3], [1])
  return %1
)"),
            R"(kernel single_roll_f32 rank 2
  in0: f32[*1]
  %0 = param i64 0
  %1 = coord i64 1
  %2 = lt bool %1 %0
  %3 = param i64 1
  %4 = param i64 2
  %5 = select i64 %2 %4 %3
  %6 = load f32 in0 at %5
  out0: f32[*1] = %6
)");
}

TEST(Moves, AMirroredBorderFoldsThePlace) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30]):
  %1: f32[4,37] = aten::pad(%0, [3, 4], "reflect", none)
  return %1
)"),
            R"(kernel single_pad_f32 rank 2
  in0: f32[*0]
  %0 = param i64 0
  %1 = coord i64 1
  %2 = sub i64 %1 %0
  %3 = param i64 1
  %4 = const i64 0
  %5 = sub i64 %4 %2
  %6 = max i64 %2 %5
  %7 = param i64 2
  %8 = sub i64 %7 %6
  %9 = min i64 %6 %8
  %10 = mul i64 %3 %9
  %11 = load f32 in0 at %10
  out0: f32[*1] = %11
)");
  EXPECT_EQ(steps(R"(graph(%0: f32[2,4,30]):
  %1: f32[2,4,37] = aten::replication_pad1d(%0, [3, 4])
  return %1
)"),
            R"(kernel single_replication_pad1d_f32 rank 2
  in0: f32[*0]
  %0 = param i64 0
  %1 = coord i64 1
  %2 = sub i64 %1 %0
  %3 = param i64 1
  %4 = const i64 0
  %5 = param i64 2
  %6 = max i64 %2 %4
  %7 = min i64 %6 %5
  %8 = mul i64 %3 %7
  %9 = load f32 in0 at %8
  out0: f32[*1] = %9
)");
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30]):
  %1: f32[4,37] = aten::pad(%0, [3, 4], "circular", none)
  return %1
)"),
            R"(kernel single_pad_f32 rank 2
  in0: f32[*0]
  %0 = param i64 0
  %1 = coord i64 1
  %2 = sub i64 %1 %0
  %3 = param i64 1
  %4 = const i64 0
  %5 = param i64 2
  %6 = lt bool %2 %4
  %7 = le bool %5 %2
  %8 = add i64 %2 %5
  %9 = select i64 %6 %8 %2
  %10 = sub i64 %2 %5
  %11 = select i64 %7 %10 %9
  %12 = mul i64 %3 %11
  %13 = load f32 in0 at %12
  out0: f32[*1] = %13
)");
}

TEST(Moves, RepeatsWrapAndNewDimsBroadcast) {
  EXPECT_EQ(steps(R"(graph(%0: f16[4,30]):
  %1: f16[2,4,60] = aten::repeat(%0, [2, 1, 2])
  return %1
)"),
            R"(kernel single_repeat_f16 rank 3
  in0: f16[0*0]
  %0 = param i64 0
  %1 = coord i64 2
  %2 = remainder i64 %1 %0
  %3 = param i64 1
  %4 = mul i64 %2 %3
  %5 = load f32 in0 at %4
  out0: f16[**1] = %5
)");
}

TEST(Moves, OneHotComparesWithThePlace) {
  EXPECT_EQ(steps(R"(graph(%0: i64[5]):
  %1: i64[5,9] = aten::one_hot(%0, 9)
  %2: f32[5,9] = aten::to.dtype(%1, 6, false, false, none)
  return %2
)"),
            R"(kernel fused_one_hot_copy_f32 rank 2
  in0: i64[10]
  %0 = load i64 in0
  %1 = coord i64 1
  %2 = eq bool %0 %1
  %3 = cast i64 %2
  %4 = cast f32 %3
  out0: f32[*1] = %4
)");
}

TEST(Moves, ATriangleKeepsItsProducerInTheKernel) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30]):
  %1: f32[4,30] = aten::exp(%0)
  %2: f32[4,30] = aten::tril(%1, 2)
  return %2
)"),
            R"(kernel fused_exp_tril_f32 rank 2
  in0: f32[*1]
  %0 = load f32 in0
  %1 = exp f32 %0
  %2 = coord i64 0
  %3 = coord i64 1
  %4 = sub i64 %3 %2
  %5 = param i64 0
  %6 = le bool %4 %5
  %7 = const f32 0
  %8 = select f32 %6 %1 %7
  out0: f32[*1] = %8
)");
}

TEST(Moves, ASliceIsReadWhereThePlaceLiesInIt) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30], %1: f32[4,9]):
  %2: f32[4,30] = aten::exp(%0)
  %3: f32[4,30] = aten::slice_scatter(%2, %1, 1, 3, 30, 3)
  return %3
)"),
            R"(kernel fused_exp_slice_scatter_f32 rank 2
  in0: f32[*1]
  in1: f32[*0]
  %0 = load f32 in0
  %1 = exp f32 %0
  %2 = param i64 0
  %3 = coord i64 1
  %4 = sub i64 %3 %2
  %5 = const i64 0
  %6 = le bool %5 %4
  %7 = remainder i64 %4 %2
  %8 = eq bool %5 %7
  %9 = and bool %6 %8
  %10 = div i64 %4 %2
  %11 = param i64 2
  %12 = mul i64 %10 %11
  %13 = load f32 in1 at %12 if %9
  %14 = select f32 %9 %13 %1
  out0: f32[*1] = %14
)");
}

TEST(Moves, AFillIsANumberInTheKernelThatReadsIt) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30]):
  %1: f32[4,30] = aten::full_like(%0, 0.5, none, none, none, none, none)
  %2: f32[4,30] = aten::mul.Tensor(%0, %1)
  return %2
)"),
            R"(kernel fused_full_like_mul_f32 rank 1
  in0: f32[1]
  %0 = const f32 0.5
  %1 = load f32 in0
  %2 = mul f32 %0 %1
  out0: f32[1] = %2
)");
}

TEST(Moves, ARollWithoutDimsIsOneOfTheFlatTensor) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30]{1,4}):
  %1: f32[4,30] = aten::roll(%0, [7], [])
  return %1
)"),
            R"(kernel single_roll_f32 rank 2
  in0: f32[1*]
  %0 = load f32 in0
  out0: f32[*1] = %0
kernel single_roll_f32 rank 1
  in0: f32[1]
  %0 = param i64 0
  %1 = coord i64 0
  %2 = lt bool %1 %0
  %3 = param i64 1
  %4 = param i64 2
  %5 = select i64 %2 %4 %3
  %6 = load f32 in0 at %5
  out0: f32[1] = %6
)");
}

TEST(Moves, AQuarterTurnIsOneFlipSeenTransposed) {
  EXPECT_EQ(planned(R"(graph(%0: f32[4,30]):
  %1: f32[30,4]{1,30} = aten::rot90(%0, 1, [0, 1])
  return %1
)",
                    rows()),
            R"(step 0: fused single_rot90_f32 over [4,30]
  %2: f32[4,30] = aten::flip(%0, [1])
  load  %0 in input 0 {30,-1}
  store %2 in output of 480 bytes {30,1}
return %1 in output of 480 bytes
arena 0 of 0 bytes
)");
}

TEST(Moves, WhatHasNoElementsNeedsNoStep) {
  EXPECT_EQ(planned(R"(graph(%0: f32[0,30]):
  %1: f32[0,30] = aten::flip(%0, [1])
  return %1
)",
                    rows()),
            R"(return %1 in output of 0 bytes
arena 0 of 0 bytes
)");
}

TEST(Resizes, TheNearestPlaceFollowsFromTheSizes) {
  EXPECT_EQ(steps(R"(graph(%0: f16[1,3,8,8]):
  %1: f16[1,3,5,7] = aten::upsample_nearest2d(%0, [5, 7], none, none)
  return %1
)"),
            R"(kernel single_upsample_nearest2d_f16 rank 3
  in0: f16[*00]
  %0 = coord i64 1
  %1 = cast f32 %0
  %2 = param i64 0
  %3 = cast f32 %2
  %4 = param i64 1
  %5 = cast f32 %4
  %6 = div f32 %5 %3
  %7 = mul f32 %1 %6
  %8 = floor f32 %7
  %9 = cast i64 %8
  %10 = param i64 2
  %11 = min i64 %9 %10
  %12 = coord i64 2
  %13 = cast f32 %12
  %14 = cast f32 %10
  %15 = div f32 %5 %14
  %16 = mul f32 %13 %15
  %17 = floor f32 %16
  %18 = cast i64 %17
  %19 = min i64 %18 %10
  %20 = mul i64 %4 %11
  %21 = param i64 3
  %22 = mul i64 %19 %21
  %23 = add i64 %20 %22
  %24 = load f32 in0 at %23
  out0: f16[**1] = %24
)");
}

TEST(Resizes, ALineBetweenTwoIsPartOfTheKernelThatFollows) {
  EXPECT_EQ(steps(R"(graph(%0: f32[1,3,8]):
  %1: f32[1,3,16] = aten::upsample_linear1d.vec(%0, none, false, floats[2.0])
  %2: f32[1,3,16] = aten::relu(%1)
  return %2
)"),
            R"(kernel fused_upsample_linear1d_relu_f32 rank 2
  in0: f32[*0]
  %0 = const f32 0
  %1 = const f32 0.5
  %2 = coord i64 1
  %3 = cast f32 %2
  %4 = add f32 %1 %3
  %5 = mul f32 %1 %4
  %6 = sub f32 %5 %1
  %7 = lt bool %6 %0
  %8 = select f32 %7 %0 %6
  %9 = cast i64 %8
  %10 = cast f32 %9
  %11 = sub f32 %8 %10
  %12 = const i64 0
  %13 = max i64 %9 %12
  %14 = param i64 0
  %15 = min i64 %13 %14
  %16 = const i64 1
  %17 = add i64 %9 %16
  %18 = max i64 %17 %12
  %19 = min i64 %18 %14
  %20 = const f32 1
  %21 = sub f32 %20 %11
  %22 = param i64 1
  %23 = mul i64 %15 %22
  %24 = load f32 in0 at %23
  %25 = mul f32 %21 %24
  %26 = mul i64 %19 %22
  %27 = load f32 in0 at %26
  %28 = mul f32 %11 %27
  %29 = add f32 %25 %28
  %30 = max f32 %29 %0
  out0: f32[*1] = %30
)");
}

TEST(Moves, WithoutRowsTheyStayWithLibTorch) {
  const Plan made = plan(parse_graph(R"(graph(%0: f32[4,30]):
  %1: f32[4,30] = aten::flip(%0, [-1])
  return %1
)"),
                         target());
  ASSERT_EQ(made.steps.size(), 1u);
  EXPECT_EQ(made.steps[0].kind, Step::Kind::kEager);
}

}  // namespace
}  // namespace torchweld::testing
