// What explain says that the kernels of a plan were compiled from, whatever made them.
#include <gtest/gtest.h>

#include "tests/support/archives.h"
#include "tests/support/script_module.h"
#include "tests/virtual_gpu/virtual_runtime.h"

namespace torchweld::testing {
namespace {

/// A kernel that isn't made from a spec, and an archive whose plan runs it.
struct ListedKernel {
  const char *archive, *step, *header, *entry;
};

class Listings : public ::testing::TestWithParam<ListedKernel> {};

TEST_P(Listings, HaveTheKernelsOfOperators) {
  const auto [archive, named, header, entry] = GetParam();
  Options options = blocking();
  options.runtime = virtual_gpu::virtual_runtime();
  const Explanation how =
      load(archive_path(archive), options).explain(archive_inputs(archive).inputs);
  ASSERT_TRUE(how.headers.contains(header));
  int found = 0;
  for (const ExplainedBlock& block : how.blocks) {
    for (const ExplainedStep& step : block.steps) {
      const ExplainedCode& code = step.code;
      if (code.source.empty()) {
        EXPECT_NE(step.kind, StepKind::kFused) << step.name;
        continue;
      }
      EXPECT_NE(code.assembly.find(".entry"), std::string::npos) << step.name;
      EXPECT_GT(code.registers, 0) << step.name;
      if (!step.name.starts_with(named)) continue;
      ++found;
      EXPECT_NE(code.source.find(std::string("#include \"") + header), std::string::npos);
      EXPECT_NE(code.assembly.find(std::string(".entry ") + entry), std::string::npos);
    }
  }
  EXPECT_GT(found, 0);
}

INSTANTIATE_TEST_SUITE_P(All, Listings,
                         ::testing::Values(ListedKernel{"attention/scaled_dot_product_forms",
                                                        "attention", "attention.cuh", "attention"},
                                           ListedKernel{"recommendation/embedding_bag_offsets",
                                                        "embedding_bag", "embedding_bag.cuh",
                                                        "embedding_bag"},
                                           ListedKernel{"vision/detection_roi_align", "roi_align",
                                                        "regions.cuh", "roi_align"},
                                           ListedKernel{"vision/detection_nms", "torchvision::nms",
                                                        "suppression.cuh", "nms_sweep"}),
                         [](const auto& info) { return std::string(info.param.entry); });

}  // namespace
}  // namespace torchweld::testing
