// roi_align and roi_pool as steps of their own, on targets that have their kernel.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

Target with_regions() {
  Target on = rows();
  on.regions = true;
  return on;
}

TEST(Regions, AreStepsOfTheirOwnAmongKernels) {
  EXPECT_EQ(planned(R"(graph(%0: f32[2,3,12,10], %1: f32[5,5]):
  %2: f32[2,3,12,10] = aten::relu(%0)
  %3: f32[5,3,3,2] = torchvision::roi_align(%2, %1, 0.5, 3, 2, 2, false)
  %4: f32[5,3,3,2] = aten::sigmoid(%3)
  %5: f32[5,3,2,2], %6: i32[5,3,2,2] = torchvision::roi_pool(%2, %1, 1.0, 2, 2)
  return %4, %5, %6
)",
                    with_regions()),
            R"(step 0: fused single_relu_f32 over [720]
  %2: f32[2,3,12,10] = aten::relu(%0)
  load  %0 in input 0 {1}
  store %2 in arena 0..2880 {1}
step 1: roi_align_5x3x3x2_f32
  %3: f32[5,3,3,2] = torchvision::roi_align(%2, %1, 0.5, 3, 2, 2, false)
  images in arena 0..2880, regions in input 1
  out in arena 2880..3240
step 2: fused single_sigmoid_f32 over [90]
  %4: f32[5,3,3,2] = aten::sigmoid(%3)
  load  %3 in arena 2880..3240 {1}
  store %4 in output of 360 bytes {1}
step 3: roi_pool_5x3x2x2_f32
  %5: f32[5,3,2,2], %6: i32[5,3,2,2] = torchvision::roi_pool(%2, %1, 1.0, 2, 2)
  images in arena 0..2880, regions in input 1
  out in output of 240 bytes, places in output of 240 bytes
return %4 in output of 360 bytes, %5 in output of 240 bytes, %6 in output of 240 bytes
arena 3264 of 3264 bytes
)");
}

TEST(Regions, AreTheLoadersFunctionsWithoutTheKernelAndEagerForOtherTypes) {
  const auto first_step = [](const char* dtype, const Target& on) {
    return planned(fmt::format(R"(graph(%0: {0}[2,3,12,10], %1: {0}[5,5]):
  %2: {0}[5,3,3,2] = torchvision::roi_align(%0, %1, 0.5, 3, 2, 2, false)
  return %2
)",
                               dtype),
                   on)
        .substr(0, 20);
  };
  EXPECT_EQ(first_step("f16", with_regions()), "step 0: roi_align_5x");
  EXPECT_EQ(first_step("f64", with_regions()), "step 0: roi_align_5x");
  EXPECT_EQ(first_step("bf16", with_regions()), "step 0: eager torchv");
  EXPECT_EQ(first_step("f32", rows()), "step 0: library torc");
}

}  // namespace
}  // namespace torchweld::testing
