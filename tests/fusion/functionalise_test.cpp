// In-place writes that become new values, and those that must stay.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

std::string functional(std::string_view text) {
  return after(text, [](Graph* graph) { functionalise(graph); });
}

TEST(Functionalise, ReluOfAnIntermediate) {
  EXPECT_EQ(functional(R"(graph(%0: f32[4]):
  %1: f32[4] = aten::exp(%0)
  %1 = %1 <- aten::relu_(%1)
  %2: f32[4] = aten::mul.Scalar(%1, 3)
  return %2
)"),
            R"(graph(%0: f32[4]):
  %1: f32[4] = aten::exp(%0)
  %3: f32[4] = aten::relu(%1)
  %2: f32[4] = aten::mul.Scalar(%3, 3)
  return %2
)");
}

TEST(Functionalise, EachWriteIsAVersionOfItsOwn) {
  EXPECT_EQ(functional(R"(graph(%0: f32[4]):
  %1: f32[4] = aten::exp(%0)
  %1 = %1 <- aten::add_.Scalar(%1, 1, 1)
  %2: f32[4] = aten::sin(%1)
  %1 = %1 <- aten::mul_.Tensor(%1, %2)
  return %1
)"),
            R"(graph(%0: f32[4]):
  %1: f32[4] = aten::exp(%0)
  %3: f32[4] = aten::add.Scalar(%1, 1, 1)
  %2: f32[4] = aten::sin(%3)
  %4: f32[4] = aten::mul.Tensor(%3, %2)
  return %4
)");
}

TEST(Functionalise, ViewsTakenBeforeTheWriteSeeIt) {
  EXPECT_EQ(functional(R"(graph(%0: f32[2,3]):
  %1: f32[2,3] = aten::exp(%0)
  %2: f32[3,2]{1,3} @%1 = aten::t(%1)
  %1 = %1 <- aten::relu_(%1)
  %3: f32[3,2]{1,3} = aten::sin(%2)
  return %3
)"),
            R"(graph(%0: f32[2,3]):
  %1: f32[2,3] = aten::exp(%0)
  %2: f32[3,2]{1,3} @%1 = aten::t(%1)
  %4: f32[2,3] = aten::relu(%1)
  %3: f32[3,2]{1,3} = aten::sin(%5)
  return %3
)");
}

TEST(Functionalise, AWriteThroughAViewOfEverything) {
  EXPECT_EQ(functional(R"(graph(%0: f32[2,3]):
  %1: f32[2,3] = aten::exp(%0)
  %2: f32[3,2]{1,3} @%1 = aten::t(%1)
  %2 = %2 <- aten::relu_(%2)
  %3: f32[2,3] = aten::sin(%1)
  return %3
)"),
            R"(graph(%0: f32[2,3]):
  %1: f32[2,3] = aten::exp(%0)
  %2: f32[3,2]{1,3} @%1 = aten::t(%1)
  %4: f32[3,2]{1,3} = aten::relu(%2)
  %3: f32[2,3] = aten::sin(%5)
  return %3
)");
}

TEST(Functionalise, APartialWriteStaysInItsPlace) {
  const std::string text = R"(graph(%0: f32[4,4], %1: f32[4]):
  %2: f32[4,4] = aten::exp(%0)
  %3: f32[4] @%2+4 = aten::select.int(%2, 0, 1)
  %3 = %3 <- aten::copy_(%3, %1, false)
  %4: f32[4,4] = aten::mul.Scalar(%2, 3)
  return %4
)";
  EXPECT_EQ(functional(text), text);
}

TEST(Functionalise, APartialWriteAfterAWholeOneWritesTheNewVersion) {
  EXPECT_EQ(functional(R"(graph(%0: f32[4,4], %1: f32[4]):
  %2: f32[4,4] = aten::exp(%0)
  %2 = %2 <- aten::relu_(%2)
  %3: f32[4] @%2+4 = aten::select.int(%2, 0, 1)
  %3 = %3 <- aten::copy_(%3, %1, false)
  return %2
)"),
            R"(graph(%0: f32[4,4], %1: f32[4]):
  %2: f32[4,4] = aten::exp(%0)
  %4: f32[4,4] = aten::relu(%2)
  %5: f32[4] @%4+4 = aten::select.int(%4, 0, 1)
  %5 = %5 <- aten::copy_(%5, %1, false)
  return %4
)");
}

TEST(Functionalise, WritesToInputsAndConstantsStay) {
  const std::string text = R"(graph(%0: f32[4]):
  %1: f32[4] = constant(0)
  %0 = %0 <- aten::relu_(%0)
  %1 = %1 <- aten::add_.Tensor(%1, %0, 1)
  return %0
)";
  EXPECT_EQ(functional(text), text);
}

TEST(Functionalise, OperatorsWithoutAKernelStay) {
  const std::string text = R"(graph(%0: f32[4]):
  %1: f32[4] = aten::exp(%0)
  %1 = %1 <- aten::uniform_(%1, 0.0, 1.0, none)
  return %1
)";
  EXPECT_EQ(functional(text), text);
}

TEST(Functionalise, ChunksThatNobodySeesTogetherAreVersionsOfTheirOwn) {
  EXPECT_EQ(functional(R"(graph(%0: f32[2,6]):
  %1: f32[2,6] = aten::exp(%0)
  %2: f32[2,3]{6,1} @%1, %3: f32[2,3]{6,1} @%1+3 = aten::chunk(%1, 2, 1)
  %2 = %2 <- aten::sigmoid_(%2)
  %3 = %3 <- aten::mul_.Tensor(%3, %2)
  %4: f32[2,3] = aten::sin(%3)
  return %4
)"),
            R"(graph(%0: f32[2,6]):
  %1: f32[2,6] = aten::exp(%0)
  %2: f32[2,3]{6,1} @%1, %3: f32[2,3]{6,1} @%1+3 = aten::chunk(%1, 2, 1)
  %5: f32[2,3] = aten::sigmoid(%2)
  %6: f32[2,3] = aten::mul.Tensor(%3, %5)
  %4: f32[2,3] = aten::sin(%6)
  return %4
)");
}

TEST(Functionalise, AChunkStaysWhereTheWholeOrSomeOfItIsSeenLater) {
  constexpr const char* kWhole = R"(graph(%0: f32[2,6]):
  %1: f32[2,6] = aten::exp(%0)
  %2: f32[2,3]{6,1} @%1, %3: f32[2,3]{6,1} @%1+3 = aten::chunk(%1, 2, 1)
  %2 = %2 <- aten::sigmoid_(%2)
  %4: f32[2,6] = aten::sin(%1)
  return %4
)";
  constexpr const char* kSome = R"(graph(%0: f32[2,6]):
  %1: f32[2,6] = aten::exp(%0)
  %2: f32[2,3]{6,1} @%1, %3: f32[2,3]{6,1} @%1+3 = aten::chunk(%1, 2, 1)
  %2 = %2 <- aten::sigmoid_(%2)
  %4: f32[3] @%1+6 = aten::select.int(%2, 0, 1)
  %5: f32[3] = aten::sin(%4)
  return %5
)";
  constexpr const char* kResult = R"(graph(%0: f32[2,6]):
  %1: f32[2,6] = aten::exp(%0)
  %2: f32[2,3]{6,1} @%1, %3: f32[2,3]{6,1} @%1+3 = aten::chunk(%1, 2, 1)
  %2 = %2 <- aten::sigmoid_(%2)
  return %2
)";
  for (const char* text : {kWhole, kSome, kResult}) EXPECT_EQ(functional(text), text);
}

}  // namespace
}  // namespace torchweld::testing
