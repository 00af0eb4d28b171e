// State: whose it is, and what puts it back.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/support/script_module.h"
#include "torchweld/torchweld.h"

namespace torchweld::testing {
namespace {

constexpr const char* kSum =
    "def forward(self, x):\n  self.total = self.total + x\n  return self.total * 1.5\n";
const ScriptModule::Attributes kZero = {{"total", at::zeros({3})}};

at::Tensor threes(double value) { return at::full({3}, value); }

TEST(Sessions, NeverSeeEachOther) {
  const Engine engine = ScriptModule(kSum, kZero).load(blocking());
  EXPECT_TRUE(engine.is_stateful());
  Session a = engine.session(), b = engine.session();
  for (int i = 1; i <= 4; ++i) {
    EXPECT_TRUE(at::equal(a.run({threes(2)}).toTensor(), threes(3.0 * i)));
    EXPECT_TRUE(at::equal(b.run({threes(4)}).toTensor(), threes(6.0 * i)));
  }
  EXPECT_TRUE(at::equal(engine.run({threes(2)}).toTensor(), threes(3)));
  EXPECT_TRUE(at::equal(engine.session().run({threes(2)}).toTensor(), threes(3)));
}

TEST(Sessions, ResetPutsTheStateBack) {
  const Engine engine = ScriptModule(kSum, kZero).load(blocking());
  Session session = engine.session();
  for (int round = 0; round < 3; ++round) {
    for (int i = 1; i <= 3; ++i)
      EXPECT_TRUE(at::equal(session.run({threes(2)}).toTensor(), threes(3.0 * i)));
    session.reset();
  }
}

TEST(Sessions, WritesInPlaceAreStateToo) {
  const Engine engine =
      ScriptModule("def forward(self, x):\n  self.total.add_(x)\n  return self.total * 1.5\n",
                   kZero)
          .load(blocking());
  EXPECT_TRUE(engine.is_stateful());
  Session a = engine.session(), b = engine.session();
  for (int i = 1; i <= 4; ++i) {
    EXPECT_TRUE(at::equal(a.run({threes(2)}).toTensor(), threes(3.0 * i)));
    EXPECT_TRUE(at::equal(b.run({threes(4)}).toTensor(), threes(6.0 * i)));
  }
  a.reset();
  EXPECT_TRUE(at::equal(a.run({threes(2)}).toTensor(), threes(3)));
}

TEST(Sessions, RunOnAStatefulModuleIsOneSession) {
  const Engine engine = ScriptModule(kSum, kZero).load(blocking());
  const Engine copy = engine;
  for (int i = 1; i <= 4; ++i)
    EXPECT_TRUE(at::equal((i % 2 ? engine : copy).run({threes(2)}).toTensor(), threes(3.0 * i)));
}

TEST(Sessions, StateKeptFromAnAnswerIsTheAnswersOwn) {
  // The state is what the call returns; LibTorch gives the same tensor, so writing to it changes
  // the state there too.
  const ScriptModule module(
      "def forward(self, x):\n  self.total = self.total + x\n  return self.total\n", kZero);
  Session session = module.load(blocking()).session();
  for (int i = 0; i < 4; ++i) {
    const at::Tensor expected = module.run({threes(1)}).toTensor(),
                     actual = session.run({threes(1)}).toTensor();
    EXPECT_TRUE(at::equal(expected, actual));
    expected.mul_(2);
    actual.mul_(2);
  }
}

TEST(Sessions, HostStateCounts) {
  const ScriptModule module(
      "def forward(self, x):\n  self.calls = self.calls + 1\n  return x * self.calls\n",
      {{"calls", int64_t{0}}});
  Options options = blocking();
  options.max_plans = 3;
  const Engine engine = module.load(options);
  Session session = engine.session();
  for (int i = 1; i <= 8; ++i)
    EXPECT_TRUE(at::equal(session.run({threes(1)}).toTensor(), threes(i)));
  EXPECT_LE(engine.counters().plans_built, 3);
}

TEST(Sessions, AFailedCallLeavesWhatLibTorchLeaves) {
  const ScriptModule module(
      "def forward(self, x):\n  self.total = self.total + 1\n  y = self.total + x\n  return y\n",
      kZero);
  Session session = module.load(blocking()).session();
  for (int i = 0; i < 3; ++i) {
    EXPECT_THROW(module.run({at::ones({7})}), std::exception);
    EXPECT_THROW(session.run({at::ones({7})}), Error);
    EXPECT_TRUE(at::equal(module.run({threes(0)}).toTensor(), session.run({threes(0)}).toTensor()));
  }
}

TEST(Sessions, RunInParallel) {
  const Engine engine = ScriptModule(kSum, kZero).load();
  std::vector<std::thread> threads;
  for (int t = 1; t <= 8; ++t) {
    threads.emplace_back([&engine, t] {
      Session session = engine.session();
      for (int i = 1; i <= 50; ++i) {
        const at::Tensor got = session.run({threes(2.0 * t)}).toTensor();
        ASSERT_TRUE(at::equal(got, threes(3.0 * t * i))) << t << ", call " << i << got;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Sessions, RunsOfAStatefulEngineFromManyThreadsAreOneAfterTheOther) {
  const Engine engine =
      ScriptModule("def forward(self, x):\n  self.total.add_(x)\n  return self.total.sum()\n",
                   kZero)
          .load();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&engine] {
      for (int i = 0; i < 50; ++i) engine.run({threes(1)});
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(engine.run({threes(0)}).toTensor().item<float>(), 600);
}

}  // namespace
}  // namespace torchweld::testing
