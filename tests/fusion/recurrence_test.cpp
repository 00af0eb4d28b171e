// Recurrent cells and layers as products and kernels.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

constexpr const char* kCell = R"(graph(%0: f32[1,3], %1: f32[1,2], %2: f32[1,2]):
  %3: f32[8,3] = constant(0)
  %4: f32[8,2] = constant(1)
  %5: f32[8] = constant(2)
  %6: f32[8] = constant(3)
  %7: f32[1,2], %8: f32[1,2] = aten::lstm_cell(%0, [%1, %2], %3, %4, %5, %6)  # code/m.py:3
  return %7, %8
)";

TEST(Recurrence, AnLstmCellIsTwoMatmulsAndOneKernel) {
  EXPECT_EQ(planned(kCell), R"(step 0: matmul_1x3x8
  %9: f32[1,8] = aten::linear(%0, %3, %5)  # code/m.py:3
  x in input 0 {3,1}
  weight %3 {1,3}
  bias in constant 2
  out in arena 0..32 {8,1}
step 1: matmul_1x2x8
  %10: f32[1,8] = aten::linear(%1, %4, %6)  # code/m.py:3
  x in input 1 {2,1}
  weight %4 {1,2}
  bias in constant 3
  out in arena 64..96 {8,1}
step 2: fused single_lstm_cell_f32 over [2]
  %13: f32[1,2] = aten::add.Tensor(%11, %12, 1)  # code/m.py:3
  %14: f32[1,2] = aten::sigmoid(%13)  # code/m.py:3
  %17: f32[1,2] = aten::add.Tensor(%15, %16, 1)  # code/m.py:3
  %18: f32[1,2] = aten::sigmoid(%17)  # code/m.py:3
  %21: f32[1,2] = aten::add.Tensor(%19, %20, 1)  # code/m.py:3
  %22: f32[1,2] = aten::tanh(%21)  # code/m.py:3
  %25: f32[1,2] = aten::add.Tensor(%23, %24, 1)  # code/m.py:3
  %26: f32[1,2] = aten::sigmoid(%25)  # code/m.py:3
  %27: f32[1,2] = aten::mul.Tensor(%18, %2)  # code/m.py:3
  %28: f32[1,2] = aten::mul.Tensor(%14, %22)  # code/m.py:3
  %8: f32[1,2] = aten::add.Tensor(%27, %28, 1)  # code/m.py:3
  %29: f32[1,2] = aten::tanh(%8)  # code/m.py:3
  %7: f32[1,2] = aten::mul.Tensor(%26, %29)  # code/m.py:3
  load  %11 in arena 0..32 {1}
  load  %12 in arena 64..96 {1}
  load  %15 in arena 0..32 +8 {1}
  load  %16 in arena 64..96 +8 {1}
  load  %19 in arena 0..32 +16 {1}
  load  %20 in arena 64..96 +16 {1}
  load  %23 in arena 0..32 +24 {1}
  load  %24 in arena 64..96 +24 {1}
  load  %2 in input 2 {1}
  store %8 in output of 8 bytes {1}
  store %7 in output of 8 bytes {1}
return %7 in output of 8 bytes, %8 in output of 8 bytes
arena 128 of 128 bytes
)");
}

TEST(Recurrence, ResetScalesWhatTheStateAddsToAGruCellsCandidate) {
  EXPECT_EQ(planned(R"(graph(%0: f32[3,4], %1: f32[3,2]):
  %2: f32[6,4] = constant(0)
  %3: f32[6,2] = constant(1)
  %4: f32[3,2] = aten::gru_cell(%0, %1, %2, %3, none, none)
  return %4
)",
                    rows()),
            R"(step 0: matmul_3x4x6_f32
  %5: f32[3,6] = aten::linear(%0, %2, none)
  f32 6x3x4 TN
  a %2 in constant 0, b %0 in input 0
  out %5 in arena 0..72
step 1: matmul_3x2x6_f32
  %6: f32[3,6] = aten::linear(%1, %3, none)
  f32 6x3x2 TN
  a %3 in constant 1, b %1 in input 1
  out %6 in arena 128..200
step 2: fused single_gru_cell_f32 over [3,2]
  %9: f32[3,2] = aten::add.Tensor(%7, %8, 1)
  %10: f32[3,2] = aten::sigmoid(%9)
  %13: f32[3,2] = aten::add.Tensor(%11, %12, 1)
  %14: f32[3,2] = aten::sigmoid(%13)
  %16: f32[3,2] = aten::mul.Tensor(%15, %10)
  %18: f32[3,2] = aten::add.Tensor(%17, %16, 1)
  %19: f32[3,2] = aten::tanh(%18)
  %20: f32[3,2] = aten::sub.Tensor(%1, %19, 1)
  %21: f32[3,2] = aten::mul.Tensor(%20, %14)
  %4: f32[3,2] = aten::add.Tensor(%21, %19, 1)
  load  %7 in arena 0..72 {6,1}
  load  %8 in arena 128..200 {6,1}
  load  %11 in arena 0..72 +8 {6,1}
  load  %12 in arena 128..200 +8 {6,1}
  load  %15 in arena 128..200 +16 {6,1}
  load  %17 in arena 0..72 +16 {6,1}
  load  %1 in input 1 {2,1}
  store %4 in output of 24 bytes {2,1}
return %4 in output of 24 bytes
arena 320 of 384 bytes
)");
}

/// Step by step: the name, and why it is eager.
std::string names(std::string_view text, const Target& on) {
  std::string all;
  for (const Step& step : plan(parse_graph(text), on).steps)
    all += step.name + (step.reason.empty() ? "" : ", since " + step.reason) + "\n";
  return all;
}

constexpr const char* kLstm = R"(graph(%0: f32[3,2,4]):
  %1: f32[1,3,2] = derived(0)
  %2: f32[1,3,2] = derived(1)
  %3: f32[8,4] = constant(2)
  %4: f32[8,2] = constant(3)
  %5: f32[8] = constant(4)
  %6: f32[8] = constant(5)
  %7: f32[3,2,2]{2,6,1}, %8: f32[1,3,2], %9: f32[1,3,2] = aten::lstm.input(%0, [%1, %2], [%3, %4, %5, %6], true, 1, 0.0, false, false, true)
  return %7, %9
)";

TEST(Recurrence, ALayerIsOneProductOfItsInputsThenAProductAndAKernelAStep) {
  EXPECT_EQ(planned(kLstm, rows()), R"(step 0: matmul_6x4x8_f32
  %13: f32[3,2,8] = aten::linear(%12, %3, %5)
  f32 8x6x4 TN bias
  a %3 in constant 2, b %12 in input 0, bias %5 in constant 4
  out %13 in arena 0..192
step 1: matmul_3x2x8_f32
  %20: f32[3,8] = aten::linear(%15, %4, %6)
  f32 8x3x2 TN bias
  a %4 in constant 3, b %15 in constant 0, bias %6 in constant 5
  out %20 in arena 192..288
step 2: fused single_lstm_f32 over [3,2]
  %23: f32[3,2] = aten::add.Tensor(%21, %22, 1)
  %24: f32[3,2] = aten::sigmoid(%23)
  %27: f32[3,2] = aten::add.Tensor(%25, %26, 1)
  %28: f32[3,2] = aten::sigmoid(%27)
  %31: f32[3,2] = aten::add.Tensor(%29, %30, 1)
  %32: f32[3,2] = aten::tanh(%31)
  %35: f32[3,2] = aten::add.Tensor(%33, %34, 1)
  %36: f32[3,2] = aten::sigmoid(%35)
  %37: f32[3,2] = aten::mul.Tensor(%28, %16)
  %38: f32[3,2] = aten::mul.Tensor(%24, %32)
  %39: f32[3,2] = aten::add.Tensor(%37, %38, 1)
  %40: f32[3,2] = aten::tanh(%39)
  %41: f32[3,2] = aten::mul.Tensor(%36, %40)
  %43 <- aten::copy_(%43, %41, false)
  load  %21 in arena 0..192 {16,1}
  load  %22 in arena 192..288 {8,1}
  load  %25 in arena 0..192 +8 {16,1}
  load  %26 in arena 192..288 +8 {8,1}
  load  %29 in arena 0..192 +16 {16,1}
  load  %30 in arena 192..288 +16 {8,1}
  load  %33 in arena 0..192 +24 {16,1}
  load  %34 in arena 192..288 +24 {8,1}
  load  %16 in constant 1 {2,1}
  load  %43 in output of 48 bytes {2,1}
  store %39 in arena 320..344 {2,1}
  store %41 in arena 384..408 {2,1}
  store %43 in output of 48 bytes {2,1}
step 3: matmul_3x2x8_f32
  %45: f32[3,8] = aten::linear(%41, %4, %6)
  f32 8x3x2 TN bias
  a %4 in constant 3, b %41 in arena 384..408, bias %6 in constant 5
  out %45 in arena 192..288
step 4: fused single_lstm_f32 over [3,2]
  %48: f32[3,2] = aten::add.Tensor(%46, %47, 1)
  %49: f32[3,2] = aten::sigmoid(%48)
  %52: f32[3,2] = aten::add.Tensor(%50, %51, 1)
  %53: f32[3,2] = aten::sigmoid(%52)
  %56: f32[3,2] = aten::add.Tensor(%54, %55, 1)
  %57: f32[3,2] = aten::tanh(%56)
  %60: f32[3,2] = aten::add.Tensor(%58, %59, 1)
  %61: f32[3,2] = aten::sigmoid(%60)
  %62: f32[3,2] = aten::mul.Tensor(%53, %39)
  %63: f32[3,2] = aten::mul.Tensor(%49, %57)
  %18: f32[3,2] = aten::add.Tensor(%62, %63, 1)
  %64: f32[3,2] = aten::tanh(%18)
  %17: f32[3,2] = aten::mul.Tensor(%61, %64)
  %66 <- aten::copy_(%66, %17, false)
  load  %46 in arena 0..192 +32 {16,1}
  load  %47 in arena 192..288 {8,1}
  load  %50 in arena 0..192 +40 {16,1}
  load  %51 in arena 192..288 +8 {8,1}
  load  %54 in arena 0..192 +48 {16,1}
  load  %55 in arena 192..288 +16 {8,1}
  load  %58 in arena 0..192 +56 {16,1}
  load  %59 in arena 192..288 +24 {8,1}
  load  %39 in arena 320..344 {2,1}
  load  %66 in output of 48 bytes +24 {2,1}
  store %18 in output of 24 bytes {2,1}
  store %66 in output of 48 bytes +24 {2,1}
return %7 in output of 48 bytes, %9 in output of 24 bytes
arena 512 of 768 bytes
)");
}

TEST(Recurrence, OnTheHostALayerIsOneStep) {
  EXPECT_EQ(planned(kLstm), R"(step 0: lstm_2x3x4x2
  %7: f32[3,2,2]{2,6,1}, %8: f32[1,3,2], %9: f32[1,3,2] = aten::lstm.input(%0, [%1, %2], [%3, %4, %5, %6], true, 1, 0.0, false, false, true)
  x in input 0, h in constant 0, c in constant 1
  y in output of 48 bytes, h in arena 576..600, c in output of 24 bytes
return %7 in output of 48 bytes, %9 in output of 24 bytes
arena 640 of 640 bytes
)");
}

TEST(Recurrence, OnTheHostLayersAndDirectionsAreOneStep) {
  EXPECT_EQ(planned(R"(graph(%0: f32[1,3,4], %1: f32[4,3,2]):
  %2: f32[2,4] = constant(0)
  %3: f32[2,2] = constant(1)
  %4: f32[2,4] = constant(2)
  %5: f32[2,2] = constant(3)
  %6: f32[2,4] = constant(4)
  %7: f32[2,2] = constant(5)
  %8: f32[2,4] = constant(6)
  %9: f32[2,2] = constant(7)
  %10: f32[1,3,4], %11: f32[4,3,2] = aten::rnn_relu.input(%0, %1, [%2, %3, %4, %5, %6, %7, %8, %9], false, 2, 0.5, false, true, false)
  return %10, %11
)"),
            R"(step 0: rnn_relu_1x3x4x2_2_layers_both_ways
  %10: f32[1,3,4], %11: f32[4,3,2] = aten::rnn_relu.input(%0, %1, [%2, %3, %4, %5, %6, %7, %8, %9], false, 2, 0.5, false, true, false)
  x in input 0, h in input 1
  y in output of 48 bytes, h in output of 96 bytes
return %10 in output of 48 bytes, %11 in output of 96 bytes
arena 448 of 448 bytes
)");
}

constexpr const char* kPackedGru = R"(graph(%0: f32[6,4], %1: i64[3], %2: f32[1,3,2]):
  %3: f32[6,4] = constant(0)
  %4: f32[6,2] = constant(1)
  %5: f32[6,2], %6: f32[1,3,2] = aten::gru.data(%0, %1, %2, [%3, %4], false, 1, 0.0, false, false)
  return %5, %6
)";

TEST(Recurrence, OnTheHostPackedSequencesAreOneStep) {
  EXPECT_EQ(planned(kPackedGru), R"(step 0: gru_3x3x4x2_packed_6
  %5: f32[6,2], %6: f32[1,3,2] = aten::gru.data(%0, %1, %2, [%3, %4], false, 1, 0.0, false, false)
  x in input 0, h in input 2, sizes of batches in input 1
  y in output of 48 bytes, h in output of 24 bytes
return %5 in output of 48 bytes, %6 in output of 24 bytes
arena 576 of 576 bytes
)");
}

TEST(Recurrence, OnCudaPackedSequencesStay) {
  EXPECT_EQ(names(kPackedGru, rows()), "aten::gru.data\n");
}

TEST(Recurrence, OnTheHostOtherTypesStayAndSayWhy) {
  EXPECT_EQ(names(R"(graph(%0: f64[1,3,4], %1: f64[1,3,2]):
  %2: f64[2,4] = constant(0)
  %3: f64[2,2] = constant(1)
  %4: f64[1,3,2], %5: f64[1,3,2] = aten::rnn_tanh.input(%0, %1, [%2, %3], false, 1, 0.0, false, false, false)
  return %4
)",
                  target()),
            "aten::rnn_tanh.input, since recurrent layers have a kernel for float32 alone\n");
}

TEST(Recurrence, OnTheHostWeightsThatACallBringsStay) {
  EXPECT_EQ(names(R"(graph(%0: f32[1,3,4], %1: f32[1,3,2], %2: f32[2,4]):
  %3: f32[2,2] = constant(0)
  %4: f32[1,3,2], %5: f32[1,3,2] = aten::rnn_tanh.input(%0, %1, [%2, %3], false, 1, 0.0, false, false, false)
  return %4
)",
                  target()),
            "aten::rnn_tanh.input, since the layer's weights are not constants\n");
}

TEST(Recurrence, ExactNumericsLeaveItToLibTorch) {
  Target exact = rows();
  exact.rounding = Rounding::kExact;
  EXPECT_EQ(names(kLstm, exact), "aten::lstm.input\n");
}

TEST(Recurrence, BothWaysOfTwoLayersReadTheWholeLayerBefore) {
  EXPECT_EQ(names(R"(graph(%0: f32[1,3,4], %1: f32[4,3,2]):
  %2: f32[2,4] = constant(0)
  %3: f32[2,2] = constant(1)
  %4: f32[2,4] = constant(2)
  %5: f32[2,2] = constant(3)
  %6: f32[2,4] = constant(4)
  %7: f32[2,2] = constant(5)
  %8: f32[2,4] = constant(6)
  %9: f32[2,2] = constant(7)
  %10: f32[1,3,4], %11: f32[4,3,2] = aten::rnn_relu.input(%0, %1, [%2, %3, %4, %5, %6, %7, %8, %9], false, 2, 0.5, false, true, false)
  return %10, %11
)",
                  rows()),
            R"(matmul_3x2x2_f32
matmul_3x2x2_f32
matmul_3x4x2_f32_add
matmul_3x4x2_f32_add
single_rnn_relu_f32
matmul_3x2x2_f32
matmul_3x2x2_f32
matmul_3x4x2_f32_add
matmul_3x4x2_f32_add
single_rnn_relu_f32
)");
}

TEST(Recurrence, WhatNobodyReadsIsNotKept) {
  EXPECT_EQ(steps(R"(graph(%0: f32[1,3,4], %1: f32[1,3,2]):
  %2: f32[2,4] = constant(0)
  %3: f32[2,2] = constant(1)
  %4: f32[1,3,2], %5: f32[1,3,2] = aten::rnn_tanh.input(%0, %1, [%2, %3], false, 1, 0.0, false, false, false)
  return %5
)"),
            R"(matmul_3x2x2_f32
matmul_3x4x2_f32_add
kernel single_rnn_tanh_f32 rank 1
  in0: f32[1]
  %0 = load f32 in0
  %1 = tanh f32 %0
  out0: f32[1] = %1
)");
}

TEST(Recurrence, DropoutInTrainingDrawsAndStays) {
  EXPECT_EQ(names(R"(graph(%0: f32[1,3,4], %1: f32[1,3,2]):
  %2: f32[2,4] = constant(0)
  %3: f32[2,2] = constant(1)
  %4: f32[1,3,2], %5: f32[1,3,2] = aten::rnn_tanh.input(%0, %1, [%2, %3], false, 1, 0.5, true, false, false) draws
  return %4
)",
                  rows()),
            "aten::rnn_tanh.input\n");
}

/// An LSTM of one layer without biases.
std::string lstm(int64_t steps, int64_t batch, int64_t width) {
  return fmt::format(R"(graph(%0: f32[{0},{1},{2}], %1: f32[1,{1},{2}], %2: f32[1,{1},{2}]):
  %3: f32[{3},{2}] = constant(0)
  %4: f32[{3},{2}] = constant(1)
  %5: f32[{0},{1},{2}], %6: f32[1,{1},{2}], %7: f32[1,{1},{2}] = aten::lstm.input(%0, [%1, %2], [%3, %4], false, 1, 0.0, false, false, false)
  return %5
)",
                     steps, batch, width, 4 * width);
}

TEST(Recurrence, LongSequencesStayAndSayWhy) {
  EXPECT_NE(names(lstm(273, 1, 8), rows()), "aten::lstm.input\n");
  EXPECT_EQ(
      names(lstm(274, 1, 8), rows()),
      "aten::lstm.input, since unrolled it would be 4110 nodes, of which 4096 are the most\n");
}

}  // namespace
}  // namespace torchweld::testing
