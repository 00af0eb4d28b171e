// Our operators against the outputs that torchvision gave when the archives were made.
#include "loader/torchvision_ops.h"

#include <gtest/gtest.h>

#include "tests/support/recorded.h"

namespace torchweld::testing {
namespace {

TEST(TorchvisionOps, NmsKeepsWhatTorchvisionKeeps) { expect_as_recorded("vision/detection_nms"); }

TEST(TorchvisionOps, RoiAlignAndRoiPoolMatchTorchvision) {
  expect_as_recorded("vision/detection_roi_align");
}

TEST(TorchvisionOps, SensitiveRegionsMatchTorchvision) {
  expect_as_recorded("vision/detection_sensitive_regions");
}

TEST(TorchvisionOps, DeformConv2dMatchesTorchvision) {
  expect_as_recorded("vision/detection_deform_conv2d");
  expect_as_recorded("vision/detection_deformable_block");
}

TEST(TorchvisionOps, DetectionModelLoadsAndRuns) {
  expect_as_recorded("vision/detection_faster_rcnn");
}

TEST(TorchvisionOps, RegisteringTwiceIsHarmless) {
  register_torchvision_operators();
  register_torchvision_operators();
}

}  // namespace
}  // namespace torchweld::testing
