// Pointwise groups: what merges, what must not, and the limits.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/fusion/text_of.h"

namespace torchweld::testing {
namespace {

TEST(Group, ReluThenTimesTwoIsOneKernel) {
  const Plan made = plan(parse_graph(R"(graph(%0: f32[3,4]):
  %1: f32[3,4] = aten::relu(%0)
  %2: f32[3,4] = aten::mul.Scalar(%1, 2)
  return %2
)"),
                         target());
  EXPECT_EQ(to_text(made), R"(step 0: fused fused_relu_mul_f32 over [12]
  %1: f32[3,4] = aten::relu(%0)
  %2: f32[3,4] = aten::mul.Scalar(%1, 2)
  load  %0 in input 0 {1}
  store %2 in output of 48 bytes {1}
return %2 in output of 48 bytes
arena 0 of 0 bytes
)");
}

TEST(Group, BroadcastOperandsHaveStrideZero) {
  EXPECT_EQ(planned(R"(graph(%0: f32[4,3], %1: f32[4,1], %2: f32[3]):
  %3: f32[4,3] = aten::mul.Tensor(%0, %1)
  %4: f32[4,3] = aten::add.Tensor(%3, %2, 1)
  return %4
)"),
            R"(step 0: fused fused_mul_add_f32 over [4,3]
  %3: f32[4,3] = aten::mul.Tensor(%0, %1)
  %4: f32[4,3] = aten::add.Tensor(%3, %2, 1)
  load  %0 in input 0 {3,1}
  load  %1 in input 1 {1,0}
  load  %2 in input 2 {0,1}
  store %4 in output of 48 bytes {3,1}
return %4 in output of 48 bytes
arena 0 of 0 bytes
)");
}

TEST(Group, StridedInputsAreReadWhereTheyAre) {
  EXPECT_EQ(planned(R"(graph(%0: f32[3,4]{1,3}, %1: f32[3,4]{8,2}):
  %2: f32[3,4]{1,3} = aten::mul.Tensor(%0, %1)
  %3: f32[3,4]{1,3} = aten::tanh(%2)
  return %3
)"),
            R"(step 0: fused fused_mul_tanh_f32 over [4,3]
  %2: f32[3,4]{1,3} = aten::mul.Tensor(%0, %1)
  %3: f32[3,4]{1,3} = aten::tanh(%2)
  load  %0 in input 0 {3,1}
  load  %1 in input 1 {2,8}
  store %3 in output of 48 bytes {3,1}
return %3 in output of 48 bytes
arena 0 of 0 bytes
)");
}

TEST(Group, SixDimensionsThatDoNotCoalesce) {
  EXPECT_EQ(planned(R"(graph(%0: f32[2,3,2,3,2,3]{1,2,6,12,36,72}, %1: f32[1,3,1,3,1,3]):
  %2: f32[2,3,2,3,2,3] = aten::mul.Tensor(%0, %1)
  return %2
)"),
            R"(step 0: fused single_mul_f32 over [2,3,2,3,2,3]
  %2: f32[2,3,2,3,2,3] = aten::mul.Tensor(%0, %1)
  load  %0 in input 0 {1,2,6,12,36,72}
  load  %1 in input 1 {0,9,0,3,0,1}
  store %2 in output of 864 bytes {108,36,18,6,3,1}
return %2 in output of 864 bytes
arena 0 of 0 bytes
)");
}

TEST(Group, SevenDimensionsThatDoNotCoalesceAreEager) {
  EXPECT_EQ(planned(R"(graph(%0: f32[2,3,2,3,2,3,2]{1,2,6,12,36,72,216}, %1: f32[1,3,1,3,1,3,1]):
  %2: f32[2,3,2,3,2,3,2] = aten::mul.Tensor(%0, %1)
  return %2
)"),
            R"(step 0: eager aten::mul.Tensor, since more than 6 dimensions
  %2: f32[2,3,2,3,2,3,2] = aten::mul.Tensor(%0, %1)
return %2 in eager
arena 0 of 0 bytes
)");
}

TEST(Group, SevenDimensionsThatDoAreNot) {
  EXPECT_EQ(planned(R"(graph(%0: f32[2,3,2,3,2,3,2]):
  %1: f32[2,3,2,3,2,3,2] = aten::tanh(%0)
  return %1
)"),
            R"(step 0: fused single_tanh_f32 over [432]
  %1: f32[2,3,2,3,2,3,2] = aten::tanh(%0)
  load  %0 in input 0 {1}
  store %1 in output of 1728 bytes {1}
return %1 in output of 1728 bytes
arena 0 of 0 bytes
)");
}

TEST(Group, ADiamondAroundAnEagerStepMakesNoCycle) {
  // %1 and %3 must not be one kernel: the running sum between them reads one and feeds the other.
  EXPECT_EQ(planned(R"(graph(%0: f32[4]):
  %1: f32[4] = aten::relu(%0)
  %2: f32[4] = aten::logcumsumexp(%1, 0)
  %3: f32[4] = aten::add.Tensor(%1, %2, 1)
  %4: f32[4] = aten::mul.Tensor(%3, %1)
  return %4
)"),
            R"(step 0: fused single_relu_f32 over [4]
  %1: f32[4] = aten::relu(%0)
  load  %0 in input 0 {1}
  store %1 in arena 0..16 {1}
step 1: eager aten::logcumsumexp, since no kernel is written for it
  %2: f32[4] = aten::logcumsumexp(%1, 0)
step 2: fused fused_add_mul_f32 over [4]
  %3: f32[4] = aten::add.Tensor(%1, %2, 1)
  %4: f32[4] = aten::mul.Tensor(%3, %1)
  load  %1 in arena 0..16 {1}
  load  %2 in eager {1}
  store %4 in output of 16 bytes {1}
  release %2
return %4 in output of 16 bytes
arena 64 of 64 bytes
)");
}

TEST(Group, TwoDiamondsThatCrossMakeNoCycle) {
  EXPECT_EQ(planned(R"(graph(%0: f32[8], %1: f32[8]):
  %2: f32[8] = aten::exp(%0)
  %3: f32[8] = aten::logcumsumexp(%2, 0)
  %4: f32[8] = aten::sin(%3)
  %5: f32[8] = aten::logcumsumexp(%1, 0)
  %6: f32[8] = aten::mul.Tensor(%5, %2)
  %7: f32[8] = aten::add.Tensor(%6, %4, 1)
  return %7
)"),
            R"(step 0: eager aten::logcumsumexp, since no kernel is written for it
  %5: f32[8] = aten::logcumsumexp(%1, 0)
step 1: fused fused_exp_mul_f32 over [8]
  %2: f32[8] = aten::exp(%0)
  %6: f32[8] = aten::mul.Tensor(%5, %2)
  load  %0 in input 0 {1}
  load  %5 in eager {1}
  store %2 in arena 0..32 {1}
  store %6 in arena 64..96 {1}
  release %5
step 2: eager aten::logcumsumexp, since no kernel is written for it
  %3: f32[8] = aten::logcumsumexp(%2, 0)
step 3: fused fused_sin_add_f32 over [8]
  %4: f32[8] = aten::sin(%3)
  %7: f32[8] = aten::add.Tensor(%6, %4, 1)
  load  %3 in eager {1}
  load  %6 in arena 64..96 {1}
  store %7 in output of 32 bytes {1}
  release %3
return %7 in output of 32 bytes
arena 128 of 128 bytes
)");
}

TEST(Group, SeveralResultsOfOneKernel) {
  EXPECT_EQ(planned(R"(graph(%0: f32[8]):
  %1: f32[8] = aten::exp(%0)
  %2: f32[8] = aten::sin(%1)
  %3: bool[8] = aten::gt.Scalar(%1, 0.5)
  return %1, %2, %3
)"),
            R"(step 0: fused fused_exp_sin_gt_bool over [8]
  %1: f32[8] = aten::exp(%0)
  %2: f32[8] = aten::sin(%1)
  %3: bool[8] = aten::gt.Scalar(%1, 0.5)
  load  %0 in input 0 {1}
  store %1 in output of 32 bytes {1}
  store %2 in output of 32 bytes {1}
  store %3 in output of 8 bytes {1}
return %1 in output of 32 bytes, %2 in output of 32 bytes, %3 in output of 8 bytes
arena 0 of 0 bytes
)");
}

TEST(Group, AMemberReadThroughAViewIsAnotherKernelNotAnEagerStep) {
  EXPECT_EQ(planned(R"(graph(%0: f32[4,4]):
  %1: f32[4,4] = aten::relu(%0)
  %2: f32[4,4]{1,4} @%1 = aten::t(%1)
  %3: f32[4,4] = aten::add.Tensor(%1, %2, 1)
  return %3
)"),
            R"(step 0: fused single_relu_f32 over [16]
  %1: f32[4,4] = aten::relu(%0)
  load  %0 in input 0 {1}
  store %1 in arena 0..64 {1}
step 1: fused single_add_f32 over [4,4]
  %3: f32[4,4] = aten::add.Tensor(%1, %2, 1)
  load  %1 in arena 0..64 {4,1}
  load  %2 in arena 0..64 {1,4}
  store %3 in output of 64 bytes {4,1}
return %3 in output of 64 bytes
arena 64 of 64 bytes
)");
}

TEST(Group, WritesKeepTheirOrderAmongReads) {
  EXPECT_EQ(planned(R"(graph(%0: f32[4]):
  %1: f32[4] = aten::exp(%0)
  %0 <- aten::add_.Scalar(%0, 1, 1)
  %2: f32[4] = aten::exp(%0)
  %3: f32[4] = aten::sub.Tensor(%1, %2, 1)
  return %3
)"),
            R"(step 0: fused single_exp_f32 over [4]
  %1: f32[4] = aten::exp(%0)
  load  %0 in input 0 {1}
  store %1 in arena 0..16 {1}
step 1: fused single_add_f32 over [4]
  %0 <- aten::add_.Scalar(%0, 1, 1)
  load  %0 in input 0 {1}
  store %0 in input 0 {1}
step 2: fused fused_exp_sub_f32 over [4]
  %2: f32[4] = aten::exp(%0)
  %3: f32[4] = aten::sub.Tensor(%1, %2, 1)
  load  %0 in input 0 {1}
  load  %1 in arena 0..16 {1}
  store %3 in output of 16 bytes {1}
return %3 in output of 16 bytes
arena 64 of 64 bytes
)");
}

TEST(Group, AWriteThatReadsItsOwnMemoryElsewhereIsEager) {
  EXPECT_EQ(
      planned(R"(graph(%0: f32[4,4]):
  %1: f32[4,4]{1,4} @%0 = aten::t(%0)
  %0 <- aten::add_.Tensor(%0, %1, 1)
  return
)"),
      R"(step 0: eager aten::add_.Tensor, since writes memory that it also reads at other places
  %0 <- aten::add_.Tensor(%0, %1, 1)
return 
arena 0 of 0 bytes
)");
}

TEST(Group, RandomDrawsKeepTheirOrder) {
  // The first draw waits for a kernel that waits for the second one's neighbour; it still comes
  // first.
  const Plan made = plan(parse_graph(R"(graph(%0: f32[4]):
  %1: f32[4] = aten::exp(%0)
  %2: f32[4] = aten::logcumsumexp(%1, 0)
  %2 = %2 <- aten::normal_(%2, 0.0, 1.0, none) draws
  %3: f32[4] = aten::logcumsumexp(%0, 0)
  %3 = %3 <- aten::normal_(%3, 0.0, 1.0, none) draws
  %4: f32[4] = aten::add.Tensor(%1, %3, 1)
  return %2, %4
)"),
                         target());
  std::vector<NodeId> draws;
  for (const Step& step : made.steps) {
    for (const NodeId n : step.nodes) {
      if (made.graph.nodes[static_cast<size_t>(n)].op == "aten::normal_") draws.push_back(n);
    }
  }
  ASSERT_EQ(draws.size(), 2u);
  EXPECT_LT(draws[0], draws[1]);
}

TEST(Group, ReasonsOfEagerSteps) {
  EXPECT_EQ(planned(R"(graph(%0: f32[4], %1: other[4] opaque, %2: f32[2,1]):
  %3: f32[4], %4: i64[4] = aten::mode(%0, 0, false)
  %5: other[4] = aten::neg(%1)
  return %3, %4, %5
)"),
            R"(step 0: eager aten::mode, since sorts or searches, which no kernel does
  %3: f32[4], %4: i64[4] = aten::mode(%0, 0, false)
step 1: eager aten::neg, since an operand's dtype is one that kernels don't compute on
  %5: other[4] = aten::neg(%1)
return %3 in eager, %4 in eager, %5 in eager
arena 0 of 0 bytes
)");
}

TEST(Group, WithoutACodeGeneratorEveryStepIsEager) {
  Target none = target();
  none.fuses = false;
  EXPECT_EQ(planned(R"(graph(%0: f32[4]):
  %1: f32[4] = aten::relu(%0)
  return %1
)",
                    none),
            R"(step 0: eager aten::relu, since no code generator for this device
  %1: f32[4] = aten::relu(%0)
return %1 in eager
arena 0 of 0 bytes
)");
}

TEST(Group, WhatTheGeneratorRefusesIsEagerWithItsReason) {
  Target refuses = target();
  refuses.can_compile = [](const KernelSpec&, const Geometry&, std::string* why) {
    *why = "it is Monday";
    return false;
  };
  EXPECT_EQ(planned(R"(graph(%0: f32[4]):
  %1: f32[4] = aten::relu(%0)
  return %1
)",
                    refuses),
            R"(step 0: eager aten::relu, since it is Monday
  %1: f32[4] = aten::relu(%0)
return %1 in eager
arena 0 of 0 bytes
)");
}

/// Kernels of a plan, after a check that nothing pointwise became eager.
int kernels_of(const std::string& text) {
  const Plan made = plan(parse_graph(text), target());
  for (const Step& step : made.steps) {
    EXPECT_EQ(step.kind, Step::Kind::kFused) << step.name << ": " << step.reason;
    EXPECT_LE(step.spec.loads.size() + step.spec.stores.size(), static_cast<size_t>(kMaxOperands));
  }
  return static_cast<int>(made.steps.size());
}

TEST(Group, LongChainsSplitIntoKernels) {
  std::string text = "graph(%0: f32[4]):\n";
  for (int i = 1; i <= 200; ++i) text += fmt::format("  %{}: f32[4] = aten::sin(%{})\n", i, i - 1);
  const int kernels = kernels_of(text + "  return %200\n");
  EXPECT_GE(kernels, 2);
  EXPECT_LE(kernels, 10);
}

TEST(Group, ManyInputsSplitIntoKernels) {
  std::string text = "graph(%0: f32[4]";
  for (int i = 1; i <= 60; ++i) text += fmt::format(", %{}: f32[4]", i);
  text += "):\n";
  for (int i = 1; i <= 60; ++i) {
    text +=
        fmt::format("  %{}: f32[4] = aten::mul.Tensor(%{}, %{})\n", 60 + i, i == 1 ? 0 : 59 + i, i);
  }
  EXPECT_GE(kernels_of(text + "  return %120\n"), 3);
}

TEST(Group, ManyResultsSplitIntoKernels) {
  std::string text = "graph(%0: f32[4]):\n", results;
  for (int i = 1; i <= 40; ++i) {
    text += fmt::format("  %{}: f32[4] = aten::sin(%{})\n", i, i - 1);
    results += fmt::format("{}%{}", i == 1 ? "" : ", ", i);
  }
  EXPECT_GE(kernels_of(text + "  return " + results + "\n"), 2);
}

}  // namespace
}  // namespace torchweld::testing
