// torchvision's operators on the CUDA path: roi_align and roi_pool as steps of plans, nms as eager
// steps and the interpreter run it on a device. That whole archives' answers are LibTorch's,
// archives_test.cpp sees.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kernels/cuda/backend.h"
#include "kernels/cuda/regions.h"
#include "kernels/cuda/suppression.h"
#include "loader/torchvision_ops.h"
#include "tests/support/archives.h"
#include "tests/support/operator_call.h"
#include "tests/support/script_module.h"
#include "tests/virtual_gpu/virtual_runtime.h"

namespace torchweld::testing {
namespace {

/// What CudaRuntime gives to the operators, on the virtual GPU.
class VirtualKernels final : public DetectionKernels {
 public:
  explicit VirtualKernels(const std::shared_ptr<cuda::Compiler>& compiler)
      : suppression_(compiler) {}

  bool accepts(const RegionShape&, std::string*) const override { return false; }
  void run(const RegionShape&, const RegionPointers&) const override {}
  void run(const SuppressionShape& shape, const SuppressionPointers& pointers) const override {
    EXPECT_NE(pointers.scratch, nullptr);
    suppression_.launch(shape, pointers, nullptr);
    virtual_gpu::virtual_device().synchronize(cuda::Stream{});
  }

 private:
  mutable cuda::Suppression suppression_;
};

const VirtualKernels& virtual_kernels() {
  static const VirtualKernels kernels(
      dynamic_cast<cuda::CudaBackend&>(*virtual_gpu::virtual_runtime()->backend()).compiler());
  return kernels;
}

at::Tensor on_host(const at::Tensor& boxes, const at::Tensor& scores, double threshold) {
  register_torchvision_operators();
  return call_operator("torchvision::nms", {boxes, scores, threshold})[0];
}

TEST(Detection, NmsOnADeviceKeepsWhatItKeepsOnTheHost) {
  virtual_kernels();  // tensors made from here on are in its memory
  at::manual_seed(3);
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (const int64_t count : {0, 1, 64, 150}) {
      const at::Tensor corners = at::rand({count, 2}, type) * 20;
      const at::Tensor boxes = at::cat({corners, corners + at::rand({count, 2}, type) * 10}, 1);
      // Equal scores among them: their order is that of the boxes.
      const at::Tensor scores = (at::rand({count}, type) * 20).floor();
      const at::Tensor want = on_host(boxes, scores, 0.3);
      const at::Tensor got = suppress(boxes, scores, 0.3, virtual_kernels());
      EXPECT_TRUE(at::equal(want, got)) << count << "\n" << want << "\n" << got;
      if (count == 150) {
        EXPECT_GT(got.numel(), 20);
        EXPECT_LT(got.numel(), 140);
      }
    }
  }
}

TEST(Detection, NmsOfStridedBoxesAndHalves) {
  virtual_kernels();
  at::manual_seed(4);
  const at::Tensor corners = (at::rand({40, 2}) * 40).floor() / 4;
  const at::Tensor boxes =
      at::cat({corners, corners + (at::rand({40, 2}) * 30 + 1).floor() / 4}, 1);
  const at::Tensor scores = at::arange(40, at::kFloat).flip(0);
  const at::Tensor want = on_host(boxes, scores, 0.31);
  EXPECT_TRUE(
      at::equal(want, suppress(boxes.t().contiguous().t(), scores, 0.31, virtual_kernels())));
  EXPECT_TRUE(at::equal(
      want, suppress(boxes.to(at::kHalf), scores.to(at::kHalf), 0.31, virtual_kernels())));
}

class DetectionPlans : public ::testing::TestWithParam<std::string> {};

TEST_P(DetectionPlans, RegionsAreNoStepsOfLibTorch) {
  Options options = blocking();
  options.runtime = virtual_gpu::virtual_runtime();
  const Engine engine = load(archive_path(GetParam()), options);
  const Explanation how = engine.explain(archive_inputs(GetParam()).inputs);
  int regions = 0;
  for (const ExplainedBlock& block : how.blocks) {
    EXPECT_TRUE(block.reason.empty()) << block.title << " is interpreted: " << block.reason;
    for (const ExplainedStep& step : block.steps) {
      regions += step.name.starts_with("roi_") ? 1 : 0;
      EXPECT_FALSE(step.kind == StepKind::kEager && step.name.starts_with("torchvision::roi_"))
          << step.name << ": " << step.reason;
    }
  }
  EXPECT_GT(regions, 0);
}

INSTANTIATE_TEST_SUITE_P(All, DetectionPlans,
                         ::testing::Values("vision/detection_roi_align",
                                           "vision/detection_regions"),
                         archive_test_name);

}  // namespace
}  // namespace torchweld::testing
