// Views cost no step.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

std::string without_views(std::string_view text) {
  return after(text, [](Graph* graph) { drop_views(graph); });
}

TEST(Views, TransposesSlicesAndSplitsVanish) {
  EXPECT_EQ(without_views(R"(graph(%0: f32[4,6]):
  %1: f32[6,4]{1,6} @%0 = aten::t(%0)
  %2: f32[3,4]{1,6} @%0+3 = aten::slice.Tensor(%1, 0, 3, 6, 1)
  %3: f32[3,2]{1,6} @%0+3, %4: f32[3,2]{1,6} @%0+15 = aten::split.Tensor(%2, 2, 1)
  %5: f32[3,2]{1,3} = aten::add.Tensor(%3, %4, 1)
  return %5
)"),
            R"(graph(%0: f32[4,6]):
  %5: f32[3,2]{1,3} = aten::add.Tensor(%3, %4, 1)
  return %5
)");
}

TEST(Views, WritesReadsAndOpaqueTensorsAreNoViews) {
  const std::string text = R"(graph(%0: f32[4], %1: other[4] opaque):
  %0 = %0 <- aten::relu_(%0)
  %2: other[4] opaque @%1 = aten::conj(%1)
  aten::item(%0) reads_host
  continue_on_value %2
)";
  EXPECT_EQ(without_views(text), text);
}

TEST(Views, ThoseWhoseShapesDependOnDataAreMadeInEachCall) {
  const std::string text = R"(graph(%0: f32[6], %1: i64[1]):
  %2: f32[2] @%0, %3: f32[4] @%0+2 = aten::tensor_split.tensor_indices_or_sections(%0, %1, 0)
  continue_on_shape %2, %3
)";
  EXPECT_EQ(without_views(text), text);
}

TEST(Views, ACopyIsNone) {
  const std::string text = R"(graph(%0: f32[2,3]{1,2}):
  %1: f32[2,3] = aten::contiguous(%0, 0)
  return %1
)";
  EXPECT_EQ(without_views(text), text);
}

TEST(Views, AnOutputMayBeAView) {
  EXPECT_EQ(planned(R"(graph(%0: f32[2,3]):
  %1: f32[3,2]{1,3} @%0 = aten::t(%0)
  %2: f32[2,3] = aten::relu(%0)
  %3: f32[3] @%2+3 = aten::select.int(%2, 0, 1)
  return %1, %3
)"),
            R"(step 0: fused single_relu_f32 over [6]
  %2: f32[2,3] = aten::relu(%0)
  load  %0 in input 0 {1}
  store %2 in output of 24 bytes {1}
return %1 in input 0, %3 in output of 24 bytes +12
arena 0 of 0 bytes
)");
}

}  // namespace
}  // namespace torchweld::testing
