// Diagonals: in kernels of a device by a predicate, on the host by copies into views.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

TEST(Diagonals, OfADeviceAreReadWhereTheElementLiesOnThem) {
  EXPECT_EQ(steps(R"(graph(%0: f32[6]):
  %1: f32[8,8] = aten::diag_embed(%0, -2, 0, 1)
  %2: f32[8,8] = aten::relu(%1)
  return %2
)"),
            R"(kernel fused_diag_embed_relu_f32 rank 2
  in0: f32[01]
  %0 = coord i64 0
  %1 = coord i64 1
  %2 = sub i64 %1 %0
  %3 = param i64 0
  %4 = eq bool %2 %3
  %5 = load f32 in0 if %4
  %6 = const f32 0
  %7 = max f32 %5 %6
  out0: f32[*1] = %7
)");
}

TEST(Diagonals, OnTheHostAreWritten) {
  EXPECT_EQ(names(R"(graph(%0: f32[6], %1: f32[6,6], %2: f32[900,900]):
  %3: f32[6,6] = aten::diag(%0, 0)
  %4: f32[6] = aten::diag(%1, 0)
  %5: f32[] = aten::trace(%1)
  %6: f32[] = aten::trace(%2)
  return %3, %4, %5, %6
)",
                  float_rows(true)),
            R"(single_diag_f32
single_diag_f32
single_diag_f32
single_trace_f32
eager aten::trace
)");
}

TEST(Diagonals, FilledOnesAreViewsThatAreFilled) {
  EXPECT_EQ(names(R"(graph(%0: f32[6,6], %1: f32[9,6]):
  %0 = %0 <- aten::fill_diagonal_(%0, 2, true)
  %1 = %1 <- aten::fill_diagonal_(%1, 2, true)
  return %0, %1
)",
                  float_rows(true)),
            R"(single_fill_f32
eager aten::fill_diagonal_
)");
}

}  // namespace
}  // namespace torchweld::testing
