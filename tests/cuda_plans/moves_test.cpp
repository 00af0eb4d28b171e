// Archives of operators that kernels compute on the CUDA path: none of their steps may be left to
// LibTorch. That their answers are LibTorch's, archives_test.cpp sees.
#include <gtest/gtest.h>

#include "tests/support/archives.h"
#include "tests/virtual_gpu/virtual_runtime.h"
#include "torchweld/torchweld.h"

namespace torchweld::testing {
namespace {

class WithoutLibTorch : public ::testing::TestWithParam<std::string> {};

TEST_P(WithoutLibTorch, NoStepIsLeft) {
  Options options;
  options.planning = Planning::kBlocking;
  options.runtime = virtual_gpu::virtual_runtime();
  const Engine engine = load(archive_path(GetParam()), options);
  const Explanation how = engine.explain(archive_inputs(GetParam()).inputs);
  for (const ExplainedBlock& block : how.blocks) {
    EXPECT_TRUE(block.reason.empty()) << block.title << " is interpreted: " << block.reason;
    for (const ExplainedStep& step : block.steps) {
      // Extremes and products at places that data names: kernels only add to those.
      if (GetParam().starts_with("by_index/") && step.name == "aten::scatter_reduce.two") continue;
      EXPECT_NE(step.kind, StepKind::kEager) << step.name << ": " << step.reason;
      // LibTorch's own library operators keep their names.
      EXPECT_FALSE(step.kind == StepKind::kLibrary && step.name.starts_with("aten::")) << step.name;
    }
  }
  EXPECT_GT(how.fused.nodes + how.library.nodes, 0);
  EXPECT_TRUE(how.host_reads.empty()) << how.host_reads.front();
}

// Adaptive windows of two lengths, windows past the end, images with their channels innermost.
TEST(AveragesOfWindows, AreKernels) {
  Options options;
  options.planning = Planning::kBlocking;
  options.runtime = virtual_gpu::virtual_runtime();
  const Engine engine = load(archive_path("poolings/adaptive"), options);
  int averages = 0;
  for (const ExplainedBlock& block :
       engine.explain(archive_inputs("poolings/adaptive").inputs).blocks) {
    for (const ExplainedStep& step : block.steps) {
      if (step.name.find("adaptive_avg_pool") == std::string::npos) continue;
      ++averages;
      EXPECT_EQ(step.kind, StepKind::kFused) << step.name << ": " << step.reason;
    }
  }
  EXPECT_GT(averages, 10);
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const char* group :
       {"moves", "resizes", "scatters", "bags", "einsums", "recurrence", "poolings", "by_index"}) {
    const std::vector<std::string> some = archive_names(group);
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, WithoutLibTorch, ::testing::ValuesIn(names()), archive_test_name);

}  // namespace
}  // namespace torchweld::testing
