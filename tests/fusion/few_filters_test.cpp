// Which convolutions by hand have channels or pixels in lanes, not filters.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

/// Of each convolution's step: the operation, and the columns of a panel of its weights.
std::vector<std::pair<x86::ImageOp, int64_t>> kinds_of_convolutions(const Target& on) {
  constexpr std::string_view kText = R"(graph(%0: f32[1,16,14,14]):
  %1: f32[4,16,3,3] = constant(0)
  %2: f32[16,16,3,3] = constant(1)
  %3: f32[16,3,4,4] = constant(2)
  %4: f32[4,16,1,1] = constant(3)
  %5: f32[1,16,14,14] = aten::conv2d(%0, %2, none, [1, 1], [1, 1], [1, 1], 1)
  %6: f32[1,4,14,14] = aten::conv2d(%5, %1, none, [1, 1], [1, 1], [1, 1], 1)
  %7: f32[1,4,14,14] = aten::conv2d(%5, %4, none, [1, 1], [0, 0], [1, 1], 1)
  %8: f32[1,3,28,28] = aten::conv_transpose2d.input(%5, %3, none, [2, 2], [1, 1], [0, 0], 1, [1, 1])
  return %6, %7, %8
)";
  std::vector<std::pair<x86::ImageOp, int64_t>> kinds;
  for (const Step& step : plan(parse_graph(kText), on).steps) {
    if (step.kind == Step::Kind::kImageConv)
      kinds.emplace_back(step.image_conv.shape.op, step.image_conv.weight_layout.panel);
  }
  return kinds;
}

/// Sixteen products a sum are too few for lanes; exact sums have LibTorch's order.
TEST(FewFilters, SumAlongChannels) {
  using enum x86::ImageOp;
  Target on = packs();
  on.hand_kernels = true;
  EXPECT_EQ(kinds_of_convolutions(on),
            (std::vector<std::pair<x86::ImageOp, int64_t>>{
                {kConvolution, 0}, {kFewFilters, 1}, {kConvolution, 0}, {kTransposed, 1}}));
  on.rounding = Rounding::kExact;
  EXPECT_EQ(kinds_of_convolutions(on),
            (std::vector<std::pair<x86::ImageOp, int64_t>>{
                {kConvolution, 0}, {kConvolution, 0}, {kConvolution, 0}, {kTransposed, 0}}));
}

TEST(FewFilters, OfFewPlanesGoAlongRows) {
  const auto kind_of = [](const char* strides, Rounding rounding) {
    Target on = packs();
    on.hand_kernels = true;
    on.rounding = rounding;
    const bool twice = std::string_view(strides) == "[2, 2]";
    const Plan made = plan(parse_graph(std::string(R"(graph(%0: f32[1,2,40,40]):
  %1: f32[1,2,7,7] = constant(0)
  %2: f32[1,1,)") + (twice ? "20,20" : "40,40") +
                                       "] = aten::conv2d(%0, %1, none, " + strides +
                                       ", [3, 3], [1, 1], 1)\n  return %2\n"),
                           on);
    return made.steps.at(0).image_conv.shape.op;
  };
  EXPECT_EQ(kind_of("[1, 1]", Rounding::kDefault), x86::ImageOp::kPlanes);
  EXPECT_EQ(kind_of("[1, 1]", Rounding::kExact), x86::ImageOp::kConvolution);
  EXPECT_EQ(kind_of("[2, 2]", Rounding::kDefault), x86::ImageOp::kConvolution);
}

}  // namespace
}  // namespace torchweld::testing
