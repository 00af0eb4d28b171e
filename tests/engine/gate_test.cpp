// The measured gate: what it measures, keeps on disk and leaves to LibTorch.
#include "engine/gate.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <sstream>

#include "tests/support/archives.h"
#include "tests/support/oracle.h"
#include "tests/support/script_module.h"
#include "tests/support/verdict_folder.h"

namespace torchweld::testing {
namespace {

constexpr const char* kChain = "def forward(self, x):\n  return torch.tanh(x * 2 + 1)\n";

std::vector<ExplainedStretch> measured(const Engine& engine,
                                       const std::vector<c10::IValue>& inputs) {
  std::vector<ExplainedStretch> all;
  for (const ExplainedBlock& block : engine.explain(inputs).blocks)
    all.insert(all.end(), block.measured.begin(), block.measured.end());
  return all;
}

/// Each stretch the other way round.
std::string turned(const std::string& verdict) {
  std::string text;
  std::istringstream lines(verdict);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name, planned, eager, whole, rest;
    words >> name >> planned >> eager >> whole;
    std::getline(words, rest);
    text += name + " " + planned + " " + eager + (whole == "0" ? " 1" : " 0") + rest + "\n";
  }
  return text;
}

TEST(Gate, MeasuresOnceOnAMachine) {
  const VerdictFolder folder;
  const ScriptModule module(kChain);
  const at::Tensor x = at::randn({64, 64});
  const auto first = measured(module.load(blocking()), {x});
  ASSERT_EQ(first.size(), 1u);
  EXPECT_GT(first[0].planned_us, 0);
  EXPECT_GT(first[0].eager_us, 0);
  const auto second = measured(module.load(blocking()), {x});
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(first[0].planned_us, second[0].planned_us);
  EXPECT_EQ(first[0].eager_us, second[0].eager_us);
  EXPECT_EQ(folder.files().size(), 1u);
}

TEST(Gate, RunsLibTorchsStepsWhereTheyWereFaster) {
  const VerdictFolder folder;
  const ScriptModule module(kChain);
  const at::Tensor x = at::randn({64, 64});
  measured(module.load(blocking()), {x});
  bool was_whole = false;
  folder.change([&](const std::string& verdict) {
    was_whole = verdict.find(" 1 3 ") != std::string::npos;
    return turned(verdict);
  });
  const Engine engine = module.load(blocking());
  const Explanation explanation = engine.explain({x});
  ASSERT_EQ(explanation.blocks[0].steps.size(), was_whole ? 1u : 3u);
  for (const ExplainedStep& step : explanation.blocks[0].steps) {
    EXPECT_EQ(step.kind, was_whole ? StepKind::kFused : StepKind::kEager);
    EXPECT_EQ(step.reason, was_whole ? "" : "LibTorch's own is faster here");
  }
  EXPECT_EQ(explanation.blocks[0].measured[0].stays_eager, !was_whole);
  EXPECT_TRUE(at::allclose(engine.run({x}).toTensor(), at::tanh(x * 2 + 1)));
}

TEST(Gate, AVerdictThatMakesNoSenseIsMeasuredAgain) {
  for (const std::string nonsense : {"x", "a 1 2 0 1 99\n", "a 1 2 0 3 0 1\n", "a 1 2 0 1 -1\n"}) {
    const VerdictFolder folder;
    const ScriptModule module(kChain);
    const at::Tensor x = at::randn({8});
    measured(module.load(blocking()), {x});
    folder.change([&](const std::string&) { return nonsense; });
    const auto again = measured(module.load(blocking()), {x});
    ASSERT_EQ(again.size(), 1u) << nonsense;
    EXPECT_NE(again[0].planned_us, 1) << nonsense;
  }
}

TEST(Gate, RepeatsNoCallThatMayNotBe) {
  const VerdictFolder folder;
  const at::Tensor x = at::randn({8});
  const ScriptModule draws("def forward(self, x):\n  return torch.tanh(x + torch.rand_like(x))\n");
  const ScriptModule writes("def forward(self, x):\n  x.mul_(2)\n  return torch.tanh(x + 1)\n");
  EXPECT_TRUE(measured(draws.load(blocking()), {x}).empty());
  EXPECT_TRUE(measured(writes.load(blocking()), {x.clone()}).empty());
  Options off = blocking();
  off.measure_plans = false;
  EXPECT_TRUE(measured(ScriptModule(kChain).load(off), {x}).empty());
  EXPECT_TRUE(folder.files().empty());
}

// Inputs that the caller changes after the first call are not those that were recorded.
TEST(Gate, MeasuresOnACopyOfTheInputs) {
  const VerdictFolder folder;
  const ScriptModule module(
      "def forward(self, w, i):\n  return torch.tanh(torch.embedding(w, i)) + 1\n");
  const at::Tensor w = at::randn({10, 4}), i = at::randint(10, {6});
  Options background;
  background.planning = Planning::kBackground;
  const Engine engine = module.load(background);
  const at::Tensor expected = at::tanh(at::embedding(w, i)) + 1;
  EXPECT_TRUE(at::allclose(engine.run({w, i}).toTensor(), expected));
  i.fill_(1 << 30);
  EXPECT_EQ(measured(engine, {w, at::randint(10, {6})}).empty(), false);
}

class Turned : public ::testing::TestWithParam<std::string> {};

// Whatever is left to LibTorch, the answer is the same: each archive with every stretch that was
// measured the other way round.
TEST_P(Turned, AgreesWithLibTorch) {
  const VerdictFolder folder;
  OracleOptions once;
  once.options = {blocking()};
  once.runs = 2;
  once.other_inputs = false;
  expect_agrees_with_libtorch(GetParam(), once);
  folder.change(turned);
  expect_agrees_with_libtorch(GetParam(), once);
  // Some one way, some the other.
  int count = 0;
  folder.change([&](const std::string& verdict) {
    std::string text;
    std::istringstream lines(verdict);
    for (std::string line; std::getline(lines, line);)
      text += ++count % 2 ? turned(line) : line + "\n";
    return text;
  });
  expect_agrees_with_libtorch(GetParam(), once);
}

INSTANTIATE_TEST_SUITE_P(All, Turned, ::testing::ValuesIn(archive_names_outside("operators")),
                         archive_test_name);

TEST(Gate, AWholePlanIsKeptForWhatItsStretchesSave) {
  std::vector<Stretch> stretches(2);
  stretches[0].planned_us = 70;
  stretches[0].eager_us = 330;
  stretches[1].planned_us = 12;
  stretches[1].eager_us = 13;
  EXPECT_TRUE(saves_clearly(stretches, 1500));
  EXPECT_FALSE(saves_clearly(stretches, 4000)) << "what is a small part of the call";
  stretches[0].whole = Whole::kFaster;
  EXPECT_FALSE(saves_clearly(stretches, 1500)) << "what LibTorch runs anyhow";
}

}  // namespace
}  // namespace torchweld::testing
