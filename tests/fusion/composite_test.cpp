// Losses and distances as kernels with their neighbours.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

/// The plan's steps on the host, by name, one a line.
std::string names(std::string_view text) { return testing::names(text, float_rows()); }

TEST(Composite, ALossAndWhatComesBeforeItAreOneKernel) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30], %1: f32[4,30]):
  %2: f32[4,30] = aten::tanh(%0)
  %3: f32[] = aten::mse_loss(%2, %1, 1)
  return %3
)"),
            R"(kernel fused_tanh_mse_loss_f32 rank 2 reduced 1
  in0: f32[*1]
  in1: f32[*1]
  %0 = load f32 in0
  %1 = tanh f32 %0
  %2 = load f32 in1
  %3 = sub f32 %1 %2
  %4 = mul f32 %3 %3
  %5 = sum f32 %4
  %6 = const f32 120
  %7 = div f32 %5 %6
  out0: f32[10] = %7 a row
)");
}

TEST(Composite, ALossOfCountsIsOneKernel) {
  EXPECT_EQ(steps(R"(graph(%0: f32[4,30], %1: f32[4,30]):
  %2: f32[4,30] = aten::poisson_nll_loss(%0, %1, true, false, 1e-08, 0)
  return %2
)"),
            R"(kernel single_poisson_nll_loss_f32 rank 1
  in0: f32[1]
  in1: f32[1]
  %0 = load f32 in0
  %1 = load f32 in1
  %2 = mul f32 %0 %1
  %3 = exp f32 %1
  %4 = sub f32 %3 %2
  out0: f32[1] = %4
)");
}

TEST(Composite, ADifferenceIsOfAnyType) {
  EXPECT_EQ(steps(R"(graph(%0: f16[4,30], %1: i8[4,30]):
  %2: f16[4,29] = aten::diff(%0, 1, 1, none, none)
  %3: i8[3,30] = aten::diff(%1, 1, 0, none, none)
  return %2, %3
)"),
            R"(kernel single_diff_f16 rank 2
  in0: f16[*1]
  in1: f16[*1]
  %0 = load f32 in0
  %1 = load f32 in1
  %2 = sub f32 %0 %1
  %3 = round_to f32 f16 %2
  out0: f16[*1] = %3
kernel single_diff_i8 rank 1
  in0: i8[1]
  in1: i8[1]
  %0 = load i32 in0
  %1 = load i32 in1
  %2 = sub i32 %0 %1
  %3 = wrap i32 i8 %2
  out0: i8[1] = %3
)");
}

TEST(Composite, RowsAreComparedInOneKernel) {
  EXPECT_EQ(names(R"(graph(%0: f32[4,30], %1: f32[4,30], %2: f32[4,30]):
  %3: f32[4] = aten::cosine_similarity(%0, %1, 1, 1e-08)
  %4: f32[4] = aten::pairwise_distance(%0, %1, 2.0, 1e-06, false)
  %5: f32[] = aten::triplet_margin_loss(%0, %1, %2, 1.0, 2.0, 1e-06, false, 1)
  %6: f32[4,29] = aten::diff(%0, 1, 1, none, none)
  %7: f32[4,30] = aten::rrelu(%0, 0.125, 0.25, false, none)
  return %3, %4, %5, %6, %7
)"),
            R"(single_cosine_similarity_f32
fused_pairwise_distance_triplet_margin_loss_f32
single_triplet_margin_loss_f32
single_diff_f32
single_rrelu_f32
)");
}

TEST(Composite, WhatHasChecksOrOtherTypesStays) {
  EXPECT_EQ(names(R"(graph(%0: f32[4,30], %1: f32[4,30], %2: f64[4,30], %3: bool[4,30], %4: f16[4]):
  %5: f32[] = aten::binary_cross_entropy(%0, %1, none, 1)
  %6: f64[] = aten::mse_loss(%0, %2, 1)
  %7: bool[4,29] = aten::diff(%3, 1, 1, none, none)
  %8: f32[4] = aten::pairwise_distance(%0, %1, 3.0, 1e-06, false)
  %9: f16[] = aten::mse_loss(%4, %4, 1)
  %10: f32[4,30] = aten::rrelu(%0, 0.125, 0.25, true, none)
  return %5, %6, %7, %8, %9, %10
)"),
            R"(eager aten::binary_cross_entropy
eager aten::mse_loss
eager aten::diff
eager aten::pairwise_distance
eager aten::mse_loss
eager aten::rrelu
)");
}

}  // namespace
}  // namespace torchweld::testing
