// A call on a known signature allocates its outputs and nothing else.
#include "tests/support/allocations.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/archives.h"
#include "tests/support/script_module.h"
#include "torchweld/torchweld.h"

namespace torchweld::testing {
namespace {

/// What LibTorch allocates for one tensor.
int allocations_of_a_tensor(const at::Tensor& like) {
  at::empty(like.sizes(), like.options());
  AllocationCount counter;
  const at::Tensor made = at::empty(like.sizes(), like.options());
  return counter.stop();
}

void expect_only_outputs(const Engine& engine, const at::Tensor& input) {
  c10::IValue answer;
  for (int i = 0; i < 5; ++i) answer = engine.run({input});
  ASSERT_GT(engine.counters().planned_blocks, 0);
  const int allowed = allocations_of_a_tensor(answer.toTensor());
  for (int i = 0; i < 3; ++i) {
    answer = c10::IValue();
    std::vector<c10::IValue> inputs{input};
    AllocationCount counter;
    answer = engine.run(std::move(inputs));
    EXPECT_LE(counter.stop(), allowed) << AllocationCount::callers();
  }
}

class OnlyOutputs : public ::testing::TestWithParam<std::string> {};

TEST_P(OnlyOutputs, AreAllocated) {
  const Engine engine = load(archive_path(GetParam()), blocking());
  expect_only_outputs(engine, archive_inputs(GetParam()).inputs[0].toTensor());
}

INSTANTIATE_TEST_SUITE_P(Archives, OnlyOutputs,
                         ::testing::Values("layers/linear_relu_traced",
                                           "layers/linear_relu_scripted", "pointwise/chain_small",
                                           "pointwise/chain_memory"),
                         [](const auto& info) {
                           return info.param.substr(info.param.find('/') + 1);
                         });

TEST(Allocations, SeveralKernelsWithIntermediates) {
  const ScriptModule module(
      "def forward(self, x):\n  y = torch.relu(x) * 2\n  return torch.tanh(y.t() + y) - 1\n");
  expect_only_outputs(module.load(blocking()), at::randn({8, 8}));
}

TEST(Allocations, AnMlpOfSmallLayers) {
  const ScriptModule module(
      "def forward(self, x):\n"
      "  y = torch.relu(torch.linear(x, self.a, self.b))\n"
      "  return torch.tanh(torch.linear(y, self.c))\n",
      {{"a", at::randn({32, 16})}, {"b", at::randn({32})}, {"c", at::randn({4, 32})}});
  expect_only_outputs(module.load(blocking()), at::randn({1, 16}));
}

TEST(Allocations, ImagesAndRowsWithWhatFollows) {
  Options options = blocking();
  options.measure_plans = false;
  const ScriptModule images(
      "def forward(self, x):\n"
      "  y = torch.silu(torch.conv2d(x, self.dense, None, [1, 1], [1, 1]))\n"
      "  z = torch.relu(torch.conv2d(y, self.filters, None, [1, 1], [1, 1], [1, 1], 16) + y)\n"
      "  return torch.adaptive_avg_pool2d(torch.max_pool2d(z, [3, 3], [2, 2]), [1, 1])\n",
      {{"dense", at::randn({16, 3, 3, 3})}, {"filters", at::randn({16, 1, 3, 3})}});
  const Engine engine = images.load(options);
  expect_only_outputs(engine, at::randn({1, 3, 12, 12}));
  EXPECT_EQ(engine.explain({at::randn({1, 3, 12, 12})}).eager.nodes, 0);
  const ScriptModule rows("def forward(self, x):\n  return torch.gelu(torch.linear(x, self.w))\n",
                          {{"w", at::randn({2000, 8})}});
  expect_only_outputs(rows.load(options), at::randn({60, 8}));  // blocks of 24 rows
}

TEST(Allocations, AnLstmBothWays) {
  std::vector<at::Tensor> weights;
  for (const int64_t columns : {8, 16, 0, 0, 8, 16, 0, 0})
    weights.push_back(columns == 0 ? at::randn({64}) : at::randn({64, columns}));
  ScriptModule::Attributes attributes{{"state", at::zeros({2, 3, 16})}};
  std::string names;
  for (size_t i = 0; i < weights.size(); ++i) {
    attributes.emplace_back("w" + std::to_string(i), weights[i]);
    names += "self.w" + std::to_string(i) + ", ";
  }
  Options options = blocking();
  options.measure_plans = false;
  const ScriptModule module(
      "def forward(self, x):\n  y, h, c = torch.lstm(x, [self.state, self.state], [" + names +
          "], True, 1, 0.0, False, True, False)\n  return y\n",
      attributes);
  expect_only_outputs(module.load(options), at::randn({5, 3, 8}));
}

TEST(Allocations, ASessionThatKeepsATensor) {
  const ScriptModule module(
      "def forward(self, x):\n  self.h = torch.tanh(self.h * 0.5 + x)\n  return self.h * 2\n",
      {{"h", at::zeros({8})}});
  const Engine engine = module.load(blocking());
  Session session = engine.session();
  const at::Tensor x = at::randn({8});
  c10::IValue answer;
  for (int i = 0; i < 5; ++i) answer = session.run({x});
  const int allowed = 2 * allocations_of_a_tensor(x);  // the answer and the new state
  std::vector<c10::IValue> inputs{x};
  AllocationCount counter;
  answer = session.run(std::move(inputs));
  EXPECT_LE(counter.stop(), allowed) << AllocationCount::callers();
}

}  // namespace
}  // namespace torchweld::testing
