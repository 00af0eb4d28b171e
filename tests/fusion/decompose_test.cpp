// An LSTM cell is two matmuls and one kernel.
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

TEST(Decompose, AnLstmCellIsTwoMatmulsAndOneKernel) {
  EXPECT_EQ(planned(kCell), R"(step 0: small_matmul_1x3x8
  %9: f32[1,8] = aten::linear(%0, %3, %5)  # code/m.py:3
  x in input 0 {3,1}
  weight %3 {1,3}
  bias in constant 2
  out in arena 0..32 {8,1}
step 1: small_matmul_1x2x8
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

TEST(Decompose, ACellWithoutBiasStays) {
  EXPECT_EQ(planned(R"(graph(%0: f32[1,3], %1: f32[1,2], %2: f32[1,2]):
  %3: f32[8,3] = constant(0)
  %4: f32[8,2] = constant(1)
  %5: f32[1,2], %6: f32[1,2] = aten::lstm_cell(%0, [%1, %2], %3, %4, none, none)
  return %5, %6
)"),
            R"(step 0: eager aten::lstm_cell, since not a pointwise operator
  %5: f32[1,2], %6: f32[1,2] = aten::lstm_cell(%0, [%1, %2], %3, %4, none, none)
return %5 in eager, %6 in eager
arena 0 of 0 bytes
)");
}

}  // namespace
}  // namespace torchweld::testing
