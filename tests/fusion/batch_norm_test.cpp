// Batch norm of halves as pointwise operators of float32.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

TEST(BatchNorm, OfHalvesIsPartOfTheKernelAroundIt) {
  EXPECT_EQ(planned(R"(graph(%0: f16[2,4,8,8]):
  %1: f16[4] = constant(0)
  %2: f32[4] = constant(1)
  %3: f16[2,4,8,8] = aten::batch_norm(%0, %1, %1, %2, %2, false, 0.1, 1e-05, true)
  %4: f16[2,4,8,8] = aten::relu(%3)
  return %4
)",
                    rows()),
            R"(step 0: fused fused_batch_norm_relu_f16 over [2,4,64]
  %19: f32[2,4,8,8] = aten::to.dtype(%0, 6, false, false, none)
  %20: f32[2,4,8,8] = aten::addcmul(%21, %19, %22, 1)
  %3: f16[2,4,8,8] = aten::to.dtype(%20, 5, false, false, none)
  %4: f16[2,4,8,8] = aten::relu(%3)
  load  %0 in input 0 {256,64,1}
  load  %21 in constant 15 {0,1,0}
  load  %22 in constant 9 {0,1,0}
  store %4 in output of 1024 bytes {256,64,1}
return %4 in output of 1024 bytes
arena 0 of 0 bytes
)");
}

TEST(BatchNorm, OfOtherTypesAndInTrainingStays) {
  const auto first = [](const char* type, const char* statistics, const char* training) {
    const std::string text = planned(fmt::format(R"(graph(%0: {0}[2,4,8,8]):
  %1: {1}[4] = constant(0)
  %2: {0}[2,4,8,8] = aten::batch_norm(%0, %1, %1, %1, %1, {2}, 0.1, 1e-05, true)
  return %2
)",
                                                 type, statistics, training),
                                     rows());
    return text.substr(8, 5);
  };
  EXPECT_EQ(first("bf16", "f32", "false"), "fused");
  EXPECT_EQ(first("f32", "f32", "false"), "fused");
  EXPECT_EQ(first("f32", "f16", "false"), "eager");
  EXPECT_EQ(first("f64", "f32", "false"), "eager");
  EXPECT_EQ(first("f16", "f16", "true"), "eager");
}

}  // namespace
}  // namespace torchweld::testing
