// Signatures, plans and counters: when a call is planned, and when it is interpreted.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/support/archives.h"
#include "tests/support/script_module.h"
#include "torchweld/torchweld.h"

namespace torchweld::testing {
namespace {

constexpr const char* kChain =
    "def forward(self, x):\n  return torch.tanh(torch.relu(x) * 2 + 1)\n";

/// Calls both and compares.
void expect_same(const Engine& engine, const ScriptModule& module,
                 const std::vector<c10::IValue>& inputs) {
  const at::Tensor expected = module.run(inputs).toTensor(), actual = engine.run(inputs).toTensor();
  EXPECT_TRUE(at::allclose(expected, actual, 1.3e-6, 1e-5)) << expected << actual;
  EXPECT_EQ(expected.sizes(), actual.sizes());
  EXPECT_EQ(expected.scalar_type(), actual.scalar_type());
}

TEST(Plans, OnePlanForOneSignature) {
  const ScriptModule module(kChain);
  const Engine engine = module.load(blocking());
  for (int i = 0; i < 5; ++i) expect_same(engine, module, {at::randn({3, 4})});
  const Counters counters = engine.counters();
  EXPECT_EQ(counters.calls, 5);
  EXPECT_EQ(counters.plans_built, 1);
  EXPECT_EQ(counters.interpreted_blocks, 1);
  EXPECT_EQ(counters.planned_blocks, 4);
}

TEST(Plans, DropoutInPlaceIsNoStepOutsideOfTraining) {
  const ScriptModule module(
      "def forward(self, x):\n"
      "  y = torch.relu(x)\n"
      "  return torch.dropout_(y, 0.5, False) + torch.tanh(y)\n");
  const Engine engine = module.load(blocking());
  for (int i = 0; i < 3; ++i) expect_same(engine, module, {at::randn({3, 4})});
  const Explanation explanation = engine.explain({at::randn({3, 4})});
  EXPECT_EQ(explanation.blocks[0].steps.size(), 1u);
}

TEST(Plans, ShapeStridesAndTypeAreTheSignature) {
  const ScriptModule module(kChain);
  const Engine engine = module.load(blocking());
  const std::vector<at::Tensor> inputs = {at::randn({3, 4}),
                                          at::randn({4, 3}),
                                          at::randn({4, 3}).t(),
                                          at::randn({12}),
                                          at::randn({3, 4}, at::kDouble),
                                          at::randn({0, 4})};
  for (int round = 0; round < 3; ++round) {
    for (const at::Tensor& input : inputs) expect_same(engine, module, {input});
  }
  EXPECT_EQ(engine.counters().plans_built, 6);
  EXPECT_EQ(engine.counters().planned_blocks, 12);
}

TEST(Plans, HostArgumentsAreTheSignatureToo) {
  const ScriptModule module(
      "def forward(self, x, n: int, twice: bool):\n"
      "  y = x + n\n"
      "  if twice:\n    y = y * 2\n"
      "  return y\n");
  const Engine engine = module.load(blocking());
  for (int round = 0; round < 2; ++round) {
    for (const int64_t n : {1, 2}) {
      for (const bool twice : {false, true})
        expect_same(engine, module, {at::randn({3}), n, twice});
    }
  }
  EXPECT_EQ(engine.counters().plans_built, 4);
  EXPECT_EQ(engine.counters().planned_blocks, 4);
}

TEST(Plans, OffInterpretsEveryCall) {
  const ScriptModule module(kChain);
  Options options;
  options.planning = Planning::kOff;
  const Engine engine = module.load(options);
  for (int i = 0; i < 3; ++i) expect_same(engine, module, {at::randn({3})});
  EXPECT_EQ(engine.counters().plans_built, 0);
  EXPECT_EQ(engine.counters().interpreted_blocks, 3);
}

TEST(Plans, InTheBackgroundTheFirstCallIsAnsweredAndLaterOnesPlanned) {
  const ScriptModule module(kChain);
  const Engine engine = module.load();
  expect_same(engine, module, {at::randn({3})});
  EXPECT_EQ(engine.counters().interpreted_blocks, 1);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (engine.counters().planned_blocks == 0 && std::chrono::steady_clock::now() < end) {
    expect_same(engine, module, {at::randn({3})});
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(engine.counters().plans_built, 1);
  EXPECT_GT(engine.counters().planned_blocks, 0);
}

TEST(Plans, AnEngineMayGoWhilePlansAreMade) {
  const ScriptModule module(kChain);
  for (int i = 0; i < 20; ++i) {
    const Engine engine = module.load();
    for (int n = 1; n < 10; ++n) engine.run({at::randn({n})});
  }
}

TEST(Plans, PastTheBoundCallsAreInterpretedAndExplainSaysWhy) {
  const ScriptModule module(kChain);
  Options options = blocking();
  options.max_plans = 2;
  const Engine engine = module.load(options);
  for (int round = 0; round < 2; ++round) {
    for (int n = 1; n <= 5; ++n) expect_same(engine, module, {at::randn({n})});
  }
  EXPECT_EQ(engine.counters().plans_built, 2);
  EXPECT_EQ(engine.counters().planned_blocks, 2);
  EXPECT_EQ(engine.counters().interpreted_blocks, 8);
  const Explanation how = engine.explain({at::randn({5})});
  ASSERT_EQ(how.blocks.size(), 1u);
  EXPECT_NE(how.blocks[0].reason.find("max_plans"), std::string::npos) << how.blocks[0].reason;
}

TEST(Plans, PreparedCallsAreNeverInterpreted) {
  const ScriptModule module(kChain);
  const Engine engine = module.load();
  engine.prepare({at::randn({3})});
  const int64_t before = engine.counters().interpreted_blocks;
  expect_same(engine, module, {at::randn({3})});
  EXPECT_EQ(engine.counters().interpreted_blocks, before);
}

TEST(Plans, PrepareLeavesInputsAndStateAsTheyAre) {
  const ScriptModule module(
      "def forward(self, x):\n"
      "  x.add_(1)\n"
      "  self.total = self.total + x\n"
      "  return self.total\n",
      {{"total", at::zeros({3})}});
  const Engine engine = module.load();
  const at::Tensor x = at::ones({3});
  engine.prepare({x});
  EXPECT_TRUE(at::equal(x, at::ones({3})));
  engine.explain({x});
  engine.diverges({x});
  EXPECT_TRUE(at::equal(x, at::ones({3})));
  EXPECT_TRUE(at::equal(engine.run({x.clone()}).toTensor(), at::full({3}, 2.0)));
  EXPECT_TRUE(at::equal(engine.run({x.clone()}).toTensor(), at::full({3}, 4.0)));
}

TEST(Plans, WeightsOfBytesAreNotKeptWider) {
  const Engine engine = load(archive_path("products/weights_of_bytes"), blocking());
  const Explanation how = engine.explain(archive_inputs("products/weights_of_bytes").inputs);
  ASSERT_EQ(how.blocks.size(), 1u);
  EXPECT_EQ(how.blocks[0].constant_bytes, 320 * 256 + 320 * 4);
  const Engine packed = load(archive_path("products/weights_of_packed_bytes"), blocking());
  const Explanation also =
      packed.explain(archive_inputs("products/weights_of_packed_bytes").inputs);
  EXPECT_LT(also.blocks[0].constant_bytes, 256 * 256 + 256 * 4 + 64);
}

TEST(Plans, DefaultsFillMissingArguments) {
  const ScriptModule module("def forward(self, x, n: int = 3):\n  return x * n\n");
  const Engine engine = module.load(blocking());
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(at::equal(engine.run({at::ones({2})}).toTensor(), at::full({2}, 3.0)));
    EXPECT_TRUE(at::equal(engine.run({at::ones({2}), 5}).toTensor(), at::full({2}, 5.0)));
  }
  EXPECT_EQ(engine.arguments().size(), 2u);
  EXPECT_EQ(engine.arguments()[1].name, "n");
}

struct DataDependent {
  std::string name, source;
};
void PrintTo(const DataDependent& d, std::ostream* out) { *out << d.name; }

class Chains : public ::testing::TestWithParam<DataDependent> {};

TEST_P(Chains, OfPlansFollowTheData) {
  const ScriptModule module(GetParam().source);
  const Engine engine = module.load(blocking());
  for (int i = 0; i < 12; ++i) {
    at::manual_seed(i % 4);
    expect_same(engine, module, {at::randn({6, 3})});
  }
  const Counters before = engine.counters();
  for (int i = 0; i < 4; ++i) {
    at::manual_seed(i % 4);
    expect_same(engine, module, {at::randn({6, 3})});
  }
  const Counters after = engine.counters();
  EXPECT_EQ(after.interpreted_blocks, before.interpreted_blocks) << "every signature was seen";
  EXPECT_GT(after.planned_blocks - before.planned_blocks, after.calls - before.calls);
}

INSTANTIATE_TEST_SUITE_P(
    All, Chains,
    ::testing::Values(
        DataDependent{
            "item",
            "def forward(self, x):\n  s = int(x.sum().item())\n  return torch.relu(x * 2) + s\n"},
        DataDependent{"nonzero",
                      "def forward(self, x):\n  y = torch.relu(x) * 2\n  rows = torch.nonzero(y[:, "
                      "0]).squeeze(1)\n  return y[rows] * 3\n"},
        DataDependent{"loop",
                      "def forward(self, x):\n  while bool(x.norm() > 1.0):\n    x = x * 0.5\n  "
                      "return x + 1\n"},
        DataDependent{"branch",
                      "def forward(self, x):\n  if bool(x.sum() > 0):\n    y = torch.cumsum(x, "
                      "0)\n  else:\n    y = torch.cat([x, x])\n  return y * 2\n"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace torchweld::testing
