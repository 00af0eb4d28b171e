// Images read where a grid says, on the host.
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

std::string step(const std::string& grid, const std::string& arguments) {
  Target host;
  host.hand_kernels = true;
  const Plan made = plan(parse_graph("graph(%0: f32[2,3,9,8], %1: f32" + grid +
                                     ", %2: f16[2,3,9,8], %3: f16[2,4,5,2]):\n"
                                     "  %4: f32[2,3,4,5] = aten::grid_sampler(" +
                                     arguments + ")\n  return %4\n"),
                         host);
  return made.steps[0].name;
}

TEST(GridSample, ImagesOfFloatsAreAStepOfItsOwn) {
  EXPECT_EQ(step("[2,4,5,2]", "%0, %1, 0, 0, false"), "bilinear_sample_2x3x20");
  EXPECT_EQ(step("[2,4,5,2]{40,1,4,20}", "%0, %1, 1, 2, true"), "nearest_sample_2x3x20");
}

TEST(GridSample, BicubicOnesAndHalvesStay) {
  EXPECT_EQ(step("[2,4,5,2]", "%0, %1, 2, 0, false"), "aten::grid_sampler");
  EXPECT_EQ(step("[2,4,5,2]", "%2, %3, 0, 0, false"), "aten::grid_sampler");
}

}  // namespace
}  // namespace torchweld::testing
