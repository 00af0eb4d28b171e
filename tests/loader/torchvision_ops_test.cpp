// Our nms, roi_align and roi_pool against the outputs that torchvision gave when the archives were
// made.
#include "loader/torchvision_ops.h"

#include <gtest/gtest.h>

#include "cli/compare.h"
#include "cli/libtorch_module.h"
#include "tests/support/archives.h"

namespace torchweld::testing {
namespace {

void expect_as_torchvision(const std::string& archive) {
  const cli::InputsFile file = archive_inputs(archive);
  cli::LibTorchModule module(archive_path(archive));
  const auto tensors =
      cli::tensors_in(module.run_eager(cli::coerced(file.inputs, module.arguments())));
  ASSERT_EQ(tensors.size(), file.outputs->size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    const cli::Comparison comparison = cli::compare((*file.outputs)[i], tensors[i]);
    EXPECT_FALSE(comparison.mismatch) << "tensor " << i << ": " << *comparison.mismatch;
  }
}

TEST(TorchvisionOps, NmsKeepsWhatTorchvisionKeeps) {
  expect_as_torchvision("vision/detection_nms");
}

TEST(TorchvisionOps, RoiAlignAndRoiPoolMatchTorchvision) {
  expect_as_torchvision("vision/detection_roi_align");
}

TEST(TorchvisionOps, DetectionModelLoadsAndRuns) {
  expect_as_torchvision("vision/detection_faster_rcnn");
}

TEST(TorchvisionOps, RegisteringTwiceIsHarmless) {
  register_torchvision_operators();
  register_torchvision_operators();
}

}  // namespace
}  // namespace torchweld::testing
