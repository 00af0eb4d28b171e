// What explain and diverges tell, and the log.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>

#include "cli/inputs_file.h"
#include "tests/support/archives.h"
#include "tests/support/script_module.h"
#include "torchweld/torchweld.h"

namespace torchweld::testing {
namespace {

constexpr const char* kMixed =
    "def forward(self, x):\n"
    "  y = torch.relu(x) * 2\n"
    "  z = torch.logcumsumexp(y, 0)\n"
    "  return torch.linear(z, self.w) + 1\n";

TEST(Explain, GroupsReasonsLinesAndCoverage) {
  Options options = blocking();
  options.measure_plans = false;  // a busy machine may find any step slow
  const Engine engine = ScriptModule(kMixed, {{"w", at::randn({300, 300})}}).load(options);
  const Explanation how = engine.explain({at::randn({300, 300})});
  EXPECT_EQ(how.method, "forward");
  EXPECT_FALSE(how.backend.empty());
  ASSERT_EQ(how.blocks.size(), 1u);
  const ExplainedBlock& block = how.blocks[0];
  EXPECT_TRUE(block.reason.empty()) << block.reason;
  EXPECT_EQ(block.inputs.size(), 1u);
  EXPECT_NE(block.graph.find("aten::logcumsumexp"), std::string::npos);
  EXPECT_GT(block.recorded_nodes, 3);
  EXPECT_GT(block.arena_bytes, 0);
  int fused = 0, library = 0, eager = 0;
  for (const ExplainedStep& step : block.steps) {
    (step.kind == StepKind::kFused     ? fused
     : step.kind == StepKind::kLibrary ? library
                                       : eager) += static_cast<int>(step.nodes.size());
    EXPECT_FALSE(step.name.empty());
    EXPECT_EQ(step.reason.empty(), step.kind != StepKind::kEager)
        << step.name << ": " << step.reason;
    const bool has_tail = step.name.find("_then_") != std::string::npos;
    EXPECT_EQ(step.kernel.empty(), step.kind != StepKind::kFused && !has_tail) << step.name;
    EXPECT_GT(step.median_us, 0) << step.name;
    for (const ExplainedNode& node : step.nodes)
      EXPECT_NE(node.source.find(':'), std::string::npos) << node.op << ": " << node.source;
  }
  EXPECT_EQ(how.fused.nodes, fused);
  EXPECT_EQ(how.library.nodes, library);
  EXPECT_EQ(how.eager.nodes, eager);
  EXPECT_EQ(fused, 2);
  EXPECT_EQ(library, 2);  // the sum after the product is in the same step
  EXPECT_EQ(eager, 1);
}

TEST(Explain, StepsDependOnEarlierOnes) {
  const Engine engine = ScriptModule(kMixed, {{"w", at::randn({300, 300})}}).load(blocking());
  const Explanation how = engine.explain({at::randn({300, 300})});
  const auto& steps = how.blocks[0].steps;
  for (size_t i = 0; i < steps.size(); ++i) {
    for (const int d : steps[i].depends_on) EXPECT_LT(d, static_cast<int>(i));
    EXPECT_EQ(steps[i].depends_on.empty(), i == 0) << steps[i].name;
  }
}

TEST(Explain, BlocksOfDataDependentCalls) {
  const Engine engine =
      ScriptModule("def forward(self, x):\n  n = int(x.sum().item())\n  return torch.relu(x) + n\n")
          .load(blocking());
  const Explanation how = engine.explain({at::ones({4})});
  ASSERT_EQ(how.blocks.size(), 2u);
  EXPECT_NE(how.blocks[0].ending.find("item"), std::string::npos) << how.blocks[0].ending;
  EXPECT_NE(how.blocks[1].ending.find("return"), std::string::npos) << how.blocks[1].ending;
}

TEST(Explain, WithoutPlanningTellsWhatAPlanWouldBeOrWhyNone) {
  Options options;
  options.planning = Planning::kOff;
  const Engine engine = ScriptModule(kMixed, {{"w", at::randn({3, 3})}}).load(options);
  const Explanation how = engine.explain({at::randn({3, 3})});
  ASSERT_EQ(how.blocks.size(), 1u);
  EXPECT_TRUE(!how.blocks[0].steps.empty() || !how.blocks[0].reason.empty());
}

TEST(Diverges, NoneOnGoodPlans) {
  const ScriptModule mixed(kMixed, {{"w", at::randn({30, 30})}});
  for (const Numerics numerics : {Numerics::kDefault, Numerics::kExact}) {
    Options options = blocking();
    options.numerics = numerics;
    const Engine engine = mixed.load(options);
    for (int i = 0; i < 3; ++i) {
      const auto found = engine.diverges({at::randn({30, 30})});
      EXPECT_FALSE(found) << found->name << ": " << found->largest_error;
    }
  }
}

TEST(Diverges, NoneOnRandomDrawsWritesAndState) {
  const Engine engine = ScriptModule(
                            "def forward(self, x):\n"
                            "  self.total.add_(x)\n"
                            "  y = x + torch.rand([4])\n"
                            "  y[1:3].mul_(2)\n"
                            "  return y * self.total\n",
                            {{"total", at::zeros({4})}})
                            .load(blocking());
  for (int i = 0; i < 3; ++i) {
    const auto found = engine.diverges({at::randn({4})});
    EXPECT_FALSE(found) << found->name << " " << found->op << ": " << found->largest_error;
  }
}

TEST(Diverges, ToldATolerancethatNothingMeetsNamesTheStepAndItsLine) {
  const Engine engine =
      ScriptModule("def forward(self, x):\n  return torch.exp(x) * 2\n").load(blocking());
  const auto found = engine.diverges({at::randn({1000}) * 10}, 0, 0);
  ASSERT_TRUE(found) << "1000 values of exp, bit-equal to another polynomial's";
  EXPECT_FALSE(found->name.empty());
  EXPECT_NE(found->op.find("aten::"), std::string::npos) << found->op;
  EXPECT_NE(found->source.find(':'), std::string::npos) << found->source;
}

TEST(Log, IsCalledAndMayCallTheEngine) {
  std::mutex mutex;
  std::vector<std::string> lines;
  Options options = blocking();
  options.log = [&](LogLevel, std::string_view line) {
    const std::lock_guard lock(mutex);
    lines.emplace_back(line);
  };
  const Engine engine = ScriptModule(kMixed, {{"w", at::randn({3, 3})}}).load(options);
  engine.run({at::randn({3, 3})});
  EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [](const std::string& l) {
    return l.find("plan") != std::string::npos;
  }));
}

TEST(Explain, ArenasTakeAtMostATenthMoreThanIsAliveAtOnce) {
  int blocks = 0;
  for (const char* group : {"vision", "language", "recommendation", "audio"}) {
    for (const std::string& name : archive_names(group)) {
      Options options = blocking();
      options.measure_plans = false;
      const Engine engine = load(archive_path(name), options);
      const auto inputs = cli::coerced(archive_inputs(name).inputs, engine.arguments());
      for (const ExplainedBlock& block : engine.explain(inputs).blocks) {
        EXPECT_LE(block.live_bytes, block.arena_bytes) << name;
        EXPECT_LE(block.arena_bytes, block.live_bytes * 11 / 10) << name;
        blocks += block.live_bytes > 0 ? 1 : 0;
      }
    }
  }
  EXPECT_GT(blocks, 30);
}

}  // namespace
}  // namespace torchweld::testing
