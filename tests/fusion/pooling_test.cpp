// Poolings as kernels of a device: maxima with their places, averages past the padding, signals.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

TEST(Pooling, MaximaAndTheirPlacesAreOneKernel) {
  EXPECT_EQ(steps(R"(graph(%0: f16[2,4,9,9]):
  %1: f16[2,4,4,4], %2: i64[2,4,4,4] = aten::max_pool2d_with_indices(%0, [3, 3], [2, 2], [0, 0], [1, 1], false)
  return %1, %2
)"),
            R"(kernel single_max_pool2d_with_indices_i64 rank 5 reduced 2
  in0: f16[****1]
  %0 = load f32 in0
  %1 = largest f32 %0
  %2 = round_to f32 f16 %1
  %3 = coord i64 3
  %4 = param i64 0
  %5 = mul i64 %3 %4
  %6 = coord i64 1
  %7 = param i64 1
  %8 = mul i64 %6 %7
  %9 = add i64 %5 %8
  %10 = param i64 2
  %11 = sub i64 %9 %10
  %12 = param i64 3
  %13 = mul i64 %11 %12
  %14 = coord i64 4
  %15 = mul i64 %4 %14
  %16 = coord i64 2
  %17 = mul i64 %7 %16
  %18 = add i64 %15 %17
  %19 = sub i64 %18 %10
  %20 = add i64 %13 %19
  %21 = const i64 0
  %22 = ne bool %0 %0
  %23 = eq bool %0 %2
  %24 = or bool %22 %23
  %25 = sub i64 %21 %20
  %26 = select i64 %22 %25 %20
  %27 = const i64 9223372036854775807
  %28 = select i64 %24 %26 %27
  %29 = smallest i64 %28
  %30 = sub i64 %21 %29
  %31 = max i64 %29 %30
  out0: f16[**100] = %2 a row
  out1: i64[**100] = %31 a row
)");
}

TEST(Pooling, WhatNobodyReadsIsNotMade) {
  EXPECT_EQ(names(R"(graph(%0: f32[2,4,9,9], %1: f32[2,4,30]):
  %2: f32[2,4,2,2], %3: i64[2,4,2,2] = aten::adaptive_max_pool2d(%0, [2, 2])
  %4: f32[2,4,2,2] = aten::relu(%2)
  %5: f32[2,4,7], %6: i64[2,4,7] = aten::adaptive_max_pool1d(%1, [7])
  return %4, %6
)",
                  rows()),
            R"(fused_adaptive_max_pool2d_relu_f32
single_adaptive_max_pool1d_i64
)");
}

TEST(Pooling, AveragesPastThePadding) {
  EXPECT_EQ(steps(R"(graph(%0: f32[2,4,11]):
  %1: f32[2,4,5] = aten::avg_pool1d(%0, [3], [3], [1], true, true)
  return %1
)"),
            R"(kernel single_avg_pool1d_f32 rank 3 reduced 1
  in0: f32[**1]
  %0 = coord i64 2
  %1 = param i64 0
  %2 = mul i64 %0 %1
  %3 = coord i64 1
  %4 = param i64 1
  %5 = mul i64 %3 %4
  %6 = add i64 %2 %5
  %7 = sub i64 %6 %1
  %8 = param i64 2
  %9 = lt bool %7 %8
  %10 = const i64 0
  %11 = le bool %10 %7
  %12 = and bool %9 %11
  %13 = param i64 3
  %14 = load f32 in0 at %13 if %12
  %15 = sum f32 %14
  %16 = param i64 4
  %17 = sub i64 %16 %5
  %18 = min i64 %17 %4
  %19 = mul i64 %1 %18
  %20 = cast f32 %19
  %21 = div f32 %15 %20
  out0: f32[*10] = %21 a row
)");
}

TEST(Pooling, AdaptiveAveragesOfSignals) {
  EXPECT_EQ(names(R"(graph(%0: f32[2,4,30]):
  %1: f32[2,4,7] = aten::adaptive_avg_pool1d(%0, [7])
  return %1
)",
                  rows()),
            R"(single_adaptive_avg_pool1d_f32
)");
}

}  // namespace
}  // namespace torchweld::testing
