// torchvision's operators on a CUDA device, as the interpreter and eager steps call them, against
// the host. Without a device archives_test.cpp says so.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "cli/compare.h"
#include "engine/runtime.h"
#include "loader/torchvision_ops.h"
#include "tests/support/operator_call.h"

namespace torchweld::testing {
namespace {

at::Tensor boxes(int64_t count) {
  const at::Tensor corners = at::rand({count, 2}) * 60;
  return at::cat({corners, corners + at::rand({count, 2}) * 30}, 1);
}

class GpuDetection : public ::testing::Test {
 protected:
  void SetUp() override {
    register_torchvision_operators();
    runtime_for(c10::Device(c10::kCUDA, 0));  // brings the device's kernels
  }
};

TEST_F(GpuDetection, NmsKeepsWhatItKeepsOnTheHost) {
  at::manual_seed(1);
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (const int64_t count : {0, 1, 1000, 20000}) {
      const at::Tensor at = boxes(count).to(type), scores = at::rand({count}, type);
      const at::Tensor want = call_operator("torchvision::nms", {at, scores, 0.4})[0];
      const at::Tensor got = call_operator("torchvision::nms", {at.cuda(), scores.cuda(), 0.4})[0];
      EXPECT_TRUE(got.is_cuda());
      EXPECT_TRUE(at::equal(want, got.cpu())) << count;
    }
  }
}

TEST_F(GpuDetection, RegionsAreThoseOfTheHost) {
  at::manual_seed(2);
  const at::Tensor images = at::randint(0, 2, {300, 1}).to(at::kFloat);
  for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kHalf}) {
    const at::Tensor x = at::randn({2, 16, 48, 40}).to(type);
    const at::Tensor rois = at::cat({images, boxes(300)}, 1).to(type);
    const auto expect_same = [&](const char* name, std::vector<c10::IValue> options) {
      std::vector<c10::IValue> host = {x, rois}, device = {x.cuda(), rois.cuda()};
      host.insert(host.end(), options.begin(), options.end());
      device.insert(device.end(), options.begin(), options.end());
      const auto want = call_operator(name, host), got = call_operator(name, device);
      for (size_t i = 0; i < want.size(); ++i)
        EXPECT_TRUE(at::equal(want[i], got[i].cpu())) << name << " of " << type << ", result " << i;
    };
    expect_same("torchvision::roi_align", {0.5, 7, 7, 2, false});
    expect_same("torchvision::roi_align", {0.5, 5, 7, -1, true});
    expect_same("torchvision::roi_pool", {0.5, 7, 7});
  }
}

TEST_F(GpuDetection, DeformConv2dIsThatOfTheHost) {
  at::manual_seed(3);
  const auto numbers = [](at::IntArrayRef sizes) { return at::randn(sizes, at::kDouble); };
  const at::Tensor x = numbers({2, 12, 20, 30}), weight = numbers({8, 6, 3, 2});
  const at::Tensor offset = numbers({2, 36, 10, 32}), mask = numbers({2, 18, 10, 32});
  const at::Tensor bias = numbers({8});
  const auto called = [](std::vector<c10::IValue> operands) {
    for (const int64_t option : {2, 1, 1, 2, 1, 2, 2, 3}) operands.emplace_back(option);
    operands.emplace_back(true);
    return call_operator("torchvision::deform_conv2d", operands)[0];
  };
  const at::Tensor got = called({x.cuda(), weight.cuda(), offset.cuda(), mask.cuda(), bias.cuda()});
  EXPECT_TRUE(got.is_cuda());
  const cli::Comparison comparison =
      cli::compare(called({x, weight, offset, mask, bias}), got.cpu());
  EXPECT_FALSE(comparison.mismatch) << *comparison.mismatch;
}

}  // namespace
}  // namespace torchweld::testing
