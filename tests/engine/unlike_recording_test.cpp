// Eager steps whose results turn out otherwise than when the call was recorded.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/library.h>

#include "tests/support/script_module.h"
#include "torchweld/torchweld.h"

namespace torchweld::testing {
namespace {

/// Laid out by the sign of the first element, as a library may choose by what it finds.
at::Tensor by_sign_laid(const at::Tensor& x) {
  const bool turns = x.flatten()[0].item<float>() < 0;
  return turns ? (x + 1).t().contiguous().t() : x + 1;
}

/// Two halves of one new tensor, the first longer where the first element is negative.
std::vector<at::Tensor> by_sign_cut(const at::Tensor& x) {
  const bool longer = x.flatten()[0].item<float>() < 0;
  return (x + 1).split_with_sizes({longer ? 3 : 2, longer ? 1 : 2});
}

TORCH_LIBRARY(test, library) {
  // With a tag, so that an unknown operator's shapes are not taken to follow data.
  library.def("by_sign_laid(Tensor x) -> Tensor", {at::Tag::pt2_compliant_tag});
  library.def("by_sign_cut(Tensor x) -> Tensor[]", {at::Tag::pt2_compliant_tag});
  library.impl("by_sign_laid", c10::DispatchKey::CPU, by_sign_laid);
  library.impl("by_sign_cut", c10::DispatchKey::CPU, by_sign_cut);
}

at::Tensor signed_tensor(float first) {
  at::Tensor x = at::arange(12, at::kFloat).reshape({4, 3});
  x[0][0] = first;
  return x;
}

Options ungated() {
  Options options = blocking();
  options.measure_plans = false;
  return options;
}

TEST(UnlikeRecording, AResultThatLiesOtherwiseIsCopied) {
  const ScriptModule module(
      "def forward(self, x):\n"
      "  y = torch.relu(test.by_sign_laid(x * 2)) - 1\n"
      "  return y.view([2, 6]) * 3\n");
  const Engine engine = module.load(ungated());
  engine.run({signed_tensor(1)});
  const int64_t interpreted = engine.counters().interpreted_blocks;
  const at::Tensor x = signed_tensor(-1);
  const at::Tensor expected = (at::relu(x * 2 + 1) - 1).view({2, 6}) * 3;
  EXPECT_TRUE(at::equal(engine.run({x}).toTensor(), expected));
  EXPECT_EQ(engine.counters().interpreted_blocks, interpreted)
      << "the plan should serve both layouts";
}

TEST(UnlikeRecording, AnotherShapeRetiresThePlanAndExplainTells) {
  const ScriptModule module(
      "def forward(self, x):\n"
      "  parts = test.by_sign_cut(x * 2)\n"
      "  return torch.cat([torch.relu(parts[1]), parts[0] * 3])\n");
  const Engine engine = module.load(ungated());
  engine.run({signed_tensor(1)});
  EXPECT_TRUE(engine.explain({signed_tensor(1)}).blocks.at(0).reason.empty());
  for (int i = 0; i < 2; ++i) {
    const at::Tensor x = signed_tensor(-1);
    EXPECT_TRUE(at::equal(engine.run({x}).toTensor(), module.run({x}).toTensor())) << i;
  }
  const std::string reason = engine.explain({signed_tensor(-1)}).blocks.at(0).reason;
  EXPECT_NE(reason.find("plan retired: test::by_sign_cut"), std::string::npos) << reason;
}

}  // namespace
}  // namespace torchweld::testing
