// Concatenations move behind the operators by element that read them.
#include "fusion/spread_concatenations.h"

#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

Target host() {
  Target on;
  on.float_rows = true;
  return on;
}

std::string spread(std::string_view text) {
  return after(text, [](Graph* graph) {
    drop_views(graph);
    spread_concatenations(graph, host());
  });
}

TEST(SpreadConcatenations, ARotaryEmbeddingIsOneOfItsHalves) {
  constexpr const char* kRotary = R"(graph(%0: f32[2,3,8], %1: f32[3,8], %2: f32[3,8]):
  %3: f32[2,3,4]{24,8,1} @%0+0 = aten::slice(%0)
  %4: f32[2,3,4]{24,8,1} @%0+4 = aten::slice(%0)
  %5: f32[2,3,4] = aten::neg(%4)
  %6: f32[2,3,8] = aten::cat([%5, %3], -1)
  %7: f32[2,3,8] = aten::mul.Tensor(%0, %1)
  %8: f32[2,3,8] = aten::mul.Tensor(%6, %2)
  %9: f32[2,3,8] = aten::add.Tensor(%7, %8, 1)
  return %9
)";
  EXPECT_EQ(spread(kRotary),
            R"(graph(%0: f32[2,3,8], %1: f32[3,8], %2: f32[3,8]):
  %5: f32[2,3,4] = aten::neg(%4)
  %12: f32[2,3,4] = aten::mul.Tensor(%10, %11)
  %14: f32[2,3,4] = aten::mul.Tensor(%5, %13)
  %15: f32[2,3,4] = aten::add.Tensor(%12, %14, 1)
  %18: f32[2,3,4] = aten::mul.Tensor(%16, %17)
  %20: f32[2,3,4] = aten::mul.Tensor(%3, %19)
  %21: f32[2,3,4] = aten::add.Tensor(%18, %20, 1)
  %9: f32[2,3,8] = aten::cat([%15, %21], 2)
  return %9
)");
  EXPECT_EQ(planned(kRotary, host()),
            R"(step 0: fused fused_neg_mul_mul_add_mul_mul_and_2_more_f32 over [2,3,4]
  %5: f32[2,3,4] = aten::neg(%4)
  %12: f32[2,3,4] = aten::mul.Tensor(%10, %11)
  %14: f32[2,3,4] = aten::mul.Tensor(%5, %13)
  %15: f32[2,3,4] = aten::add.Tensor(%12, %14, 1)
  %18: f32[2,3,4] = aten::mul.Tensor(%4, %17)
  %20: f32[2,3,4] = aten::mul.Tensor(%10, %19)
  %21: f32[2,3,4] = aten::add.Tensor(%18, %20, 1)
  %22 <- aten::copy_(%22, %15, false)
  %23 <- aten::copy_(%23, %21, false)
  load  %4 in input 0 +16 {24,8,1}
  load  %10 in input 0 {24,8,1}
  load  %11 in input 1 {0,8,1}
  load  %13 in input 2 {0,8,1}
  load  %17 in input 1 +16 {0,8,1}
  load  %19 in input 2 +16 {0,8,1}
  load  %22 in output of 192 bytes {24,8,1}
  load  %23 in output of 192 bytes +16 {24,8,1}
  store %22 in output of 192 bytes {24,8,1}
  store %23 in output of 192 bytes +16 {24,8,1}
return %9 in output of 192 bytes
arena 0 of 0 bytes
)");
}

TEST(SpreadConcatenations, StackedPairsTakeTurns) {
  EXPECT_EQ(spread(R"(graph(%0: f32[2,16], %1: f32[16]):
  %2: f32[2,8]{16,2} @%0+0 = aten::slice(%0)
  %3: f32[2,8]{16,2} @%0+1 = aten::slice(%0)
  %4: f32[2,8] = aten::neg(%3)
  %5: f32[2,8,2] = aten::stack([%4, %2], -1)
  %6: f32[2,16] @%5+0 = aten::flatten(%5)
  %7: f32[2,16] = aten::mul.Tensor(%6, %1)
  return %7
)"),
            R"(graph(%0: f32[2,16], %1: f32[16]):
  %4: f32[2,8] = aten::neg(%3)
  %9: f32[2,8] = aten::mul.Tensor(%4, %8)
  %11: f32[2,8] = aten::mul.Tensor(%2, %10)
  %12: f32[2,8,2] = aten::stack([%9, %11], -1)
  return %7
)");
}

TEST(SpreadConcatenations, PiecesOfPiecesArePieces) {
  EXPECT_EQ(spread(R"(graph(%0: f32[2,4], %1: f32[2,6], %2: f32[2,5], %3: f32[15]):
  %4: f32[2,10] = aten::cat([%0, %1], 1)
  %5: f32[2,15] = aten::cat([%2, %4], -1)
  %6: f32[2,15] = aten::add.Tensor(%5, %3, 1)
  return %6
)"),
            R"(graph(%0: f32[2,4], %1: f32[2,6], %2: f32[2,5], %3: f32[15]):
  %8: f32[2,5] = aten::add.Tensor(%2, %7, 1)
  %10: f32[2,4] = aten::add.Tensor(%0, %9, 1)
  %12: f32[2,6] = aten::add.Tensor(%1, %11, 1)
  %6: f32[2,15] = aten::cat([%8, %10, %12], 1)
  return %6
)");
}

TEST(SpreadConcatenations, NotWhereALibraryMakesTheOtherOperandOrSomebodyElseReadsOrWrites) {
  for (const char* stays : {R"(graph(%0: f32[2,4], %1: f32[2,4], %2: f32[2,6]):
  %3: f32[8,6] = constant(0)
  %4: f32[2,8] = aten::cat([%0, %1], 1)
  %5: f32[2,8] = aten::linear(%2, %3, none)
  %6: f32[2,8] = aten::add.Tensor(%5, %4, 1)
  return %6
)",
                            R"(graph(%0: f32[2,4], %1: f32[2,4]):
  %2: f32[2,8] = aten::cat([%0, %1], 1)
  %3: f32[2,8] = aten::relu(%2)
  return %2, %3
)",
                            R"(graph(%0: f32[2,2], %1: f32[1,2], %2: f32[3]):
  %3: f32[3,2] = aten::cat([%0, %1], 0)
  %4: f32[3,2] = aten::clone(%3, none)
  %5: f32[3]{2} @%4+0 = aten::select(%4)
  %5 <- aten::copy_(%5, %2, false)
  return %4
)",
                            R"(graph(%0: f32[2,4], %1: f32[2,4], %2: f32[2,8]):
  %3: f32[2,8] = aten::cat([%0, %1], 1)
  %4: f32[2,8] = aten::mul.Tensor(%3, %2)
  %2 <- aten::add_.Scalar(%2, 1, 1)
  %5: f32[2,8] = aten::add.Scalar(%4, 2, 1)
  return %5
)",
                            R"(graph(%0: f32[2,4], %1: f32[2,4], %2: f32[2,1]):
  %3: f32[2,8] = aten::cat([%0, %1], 1)
  %4: f32[2,8] = aten::mul.Tensor(%3, %2)
  %2 <- aten::add_.Scalar(%2, 1, 1)
  %5: f32[2,8] = aten::add.Scalar(%4, 2, 1)
  return %5
)",
                            R"(graph(%0: f32[2,4], %1: f32[2,4]):
  %2: f32[2,8] = aten::cat([%0, %1], 1)
  %0 <- aten::mul_.Scalar(%0, 3)
  %3: f32[2,8] = aten::relu(%2)
  return %3
)",
                            R"(graph(%0: f32[2,4], %1: f32[2,4], %2: f32[2,4]):
  %3: f32[2,8] = aten::cat([%0, %1], 1)
  %0 <- aten::mul_.Scalar(%0, 3)
  %4: f32[2,12] = aten::cat([%3, %2], 1)
  return %4
)",
                            R"(graph(%0: f32[2,1], %1: f32[2,1]):
  %2: f32[2,2] = aten::cat([%0, %1], 1)
  %3: f32[2,2] = aten::relu(%2)
  return %3
)"})
    EXPECT_EQ(spread(stays), after(stays, drop_views));
}

}  // namespace
}  // namespace torchweld::testing
