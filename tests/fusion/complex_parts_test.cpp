// Complex numbers as their parts: what is a view, what is computed, and what stays LibTorch's.
#include "fusion/complex_parts.h"

#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

std::string taken_apart(std::string_view text) {
  return after(text, [](Graph* graph) {
    drop_views(graph);
    complex_parts(graph);
  });
}

TEST(ComplexParts, AProductReadsAndStoresFloats) {
  EXPECT_EQ(taken_apart(R"(graph(%0: f32[3,2], %1: c64[4,3] opaque):
  %2: c64[3] opaque @%0+0 = aten::view_as_complex(%0)
  %3: c64[4,3] opaque = aten::mul.Tensor(%2, %1)
  %4: f32[4,3,2] @%3+0 = aten::view_as_real(%3)
  return %4
)"),
            R"(graph(%0: f32[3,2], %1: c64[4,3] opaque):
  %9: f32[4,3] = aten::mul.Tensor(%5, %7)
  %10: f32[4,3] = aten::mul.Tensor(%6, %8)
  %11: f32[4,3] = aten::sub.Tensor(%9, %10, 1)
  %12: f32[4,3] = aten::mul.Tensor(%5, %8)
  %13: f32[4,3] = aten::mul.Tensor(%6, %7)
  %14: f32[4,3] = aten::add.Tensor(%12, %13, 1)
  %16: f32[4,3,2] = aten::stack([%11, %14], -1)
  return %4
)");
}

TEST(ComplexParts, AConjugateIsAViewWhoseReadersSubtract) {
  EXPECT_EQ(taken_apart(R"(graph(%0: c64[3] opaque, %1: f32[3]):
  %2: other[3] opaque @%0+0 = aten::conj(%0)
  %3: c64[3] opaque = aten::add.Tensor(%1, %2, 1)
  return %3
)"),
            R"(graph(%0: c64[3] opaque, %1: f32[3]):
  %6: f32[3] = aten::neg(%4)
  %7: f32[3] = aten::add.Tensor(%1, %5, 1)
  %9: f32[3,2] = aten::stack([%7, %6], -1)
  return %3
)");
}

TEST(ComplexParts, DimsAreThoseOfTheResultsMemory) {
  EXPECT_EQ(taken_apart(R"(graph(%0: c64[2,3]{1,2} opaque, %1: f32[3]):
  %2: c64[2,3]{1,2} opaque = aten::mul.Tensor(%0, %1)
  %3: f32[2,3]{1,2} = aten::abs(%2)
  return %3
)"),
            R"(graph(%0: c64[2,3]{1,2} opaque, %1: f32[3]):
  %9: f32[3,2] = aten::mul.Tensor(%5, %8)
  %10: f32[3,2] = aten::mul.Tensor(%7, %8)
  %12: f32[3,2,2] = aten::stack([%9, %10], -1)
  %17: f32[3,2] = aten::hypot(%14, %16)
  return %3
)");
}

TEST(ComplexParts, WhatOnlyMovesIsMovedAsIntegers) {
  EXPECT_EQ(taken_apart(R"(graph(%0: c64[3] opaque, %1: c64[2,3] opaque, %2: bool[3]):
  %3: c64[3] opaque = aten::where.self(%2, %0, %0)
  %4: c64[2,3] opaque = aten::cat([%1], 0)
  return %3, %4
)"),
            R"(graph(%0: c64[3] opaque, %1: c64[2,3] opaque, %2: bool[3]):
  %7: i64[3] = aten::where.self(%2, %5, %6)
  %9: i64[2,3] = aten::cat([%8], 0)
  return %3, %4
)");
}

TEST(ComplexParts, FourProductsOfRealMatricesAreOneOfComplexOnes) {
  EXPECT_EQ(taken_apart(R"(graph(%0: c64[3,4] opaque, %1: c64[4,5] opaque):
  %2: c64[3,5] opaque = aten::mm(%0, %1)
  return %2
)"),
            R"(graph(%0: c64[3,4] opaque, %1: c64[4,5] opaque):
  %7: f32[3,5] = aten::mm(%3, %5)
  %8: f32[3,5] = aten::mm(%4, %6)
  %9: f32[3,5] = aten::sub.Tensor(%7, %8, 1)
  %10: f32[3,5] = aten::mm(%3, %6)
  %11: f32[3,5] = aten::mm(%4, %5)
  %12: f32[3,5] = aten::add.Tensor(%10, %11, 1)
  %14: f32[3,5,2] = aten::stack([%9, %12], -1)
  return %2
)");
}

TEST(ComplexParts, WhatIsNotKnownStays) {
  constexpr const char* kStays = R"(graph(%0: c64[3] opaque, %1: f64[3], %2: f32[3]):
  %3: c64[3] opaque = aten::div.Tensor(%2, %0)
  %4: other[3] opaque = aten::mul.Tensor(%0, %1)
  %5: other[3] opaque @%0+0 = aten::conj(%0)
  %6: c64[3] opaque = aten::fft_fft(%5, none, -1, none)
  %7: c64[3] opaque = aten::add.Tensor(%0, %0, 2)
  return %3, %4, %6, %7
)";
  EXPECT_EQ(taken_apart(kStays), after(kStays, [](Graph*) {}));
}

}  // namespace
}  // namespace torchweld::testing
