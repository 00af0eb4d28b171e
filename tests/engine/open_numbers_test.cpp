// Numbers of the host's that change at every call: answers over many calls, and how few plans they
// need.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/support/script_module.h"
#include "torchweld/torchweld.h"

namespace torchweld::testing {
namespace {

using Inputs = std::vector<c10::IValue>;

/// Numbers and tensors of an answer are LibTorch's.
void expect_same(const c10::IValue& expected, const c10::IValue& actual, int call) {
  ASSERT_EQ(expected.tagKind(), actual.tagKind()) << "call " << call;
  if (expected.isTensor()) {
    const at::Tensor &e = expected.toTensor(), a = actual.toTensor();
    ASSERT_EQ(e.scalar_type(), a.scalar_type()) << "call " << call;
    ASSERT_EQ(e.sizes(), a.sizes()) << "call " << call;
    EXPECT_TRUE(at::allclose(e, a, 1e-6, 1e-6, true)) << "call " << call << "\n" << e << "\n" << a;
  } else if (expected.isTuple()) {
    const auto &e = expected.toTupleRef().elements(), &a = actual.toTupleRef().elements();
    ASSERT_EQ(e.size(), a.size());
    for (size_t i = 0; i < e.size(); ++i) expect_same(e[i], a[i], call);
  } else {
    EXPECT_EQ(expected, actual) << "call " << call;
  }
}

/// Calls a module many times in LibTorch and in a session; the plans that were made.
int64_t plans_of(const std::string& source, const ScriptModule::Attributes& attributes,
                 const std::function<Inputs(int)>& inputs, int calls = 24) {
  const ScriptModule module(source, attributes);
  const Engine engine = module.load(blocking());
  Session session = engine.session();
  for (int i = 0; i < calls; ++i) expect_same(module.run(inputs(i)), session.run(inputs(i)), i);
  return engine.counters().plans_built;
}

Inputs ramp(int) { return {at::arange(6, at::kFloat).view({2, 3}) * 0.25}; }

TEST(OpenNumbers, CounterThatScales) {
  EXPECT_EQ(plans_of("def forward(self, x):\n"
                     "  self.calls = self.calls + 1\n"
                     "  y = (x * self.calls - 0.5) / (self.calls + 1)\n"
                     "  return y, self.calls, (self.calls * 2, y.relu())\n",
                     {{"calls", int64_t{0}}}, ramp),
            3);
}

TEST(OpenNumbers, FloatCounterAndMomentum) {
  EXPECT_EQ(plans_of("def forward(self, x):\n"
                     "  self.t = self.t * 0.9 + 0.1\n"
                     "  self.mean.mul_(1.0 - self.t).add_(x * self.t)\n"
                     "  return (x - self.mean) / (1.0 - self.t * 0.5), self.t\n",
                     {{"t", 0.0}, {"mean", at::zeros({2, 3})}}, ramp),
            3);
}

TEST(OpenNumbers, NumberThatFallsInAStepOfItsOwn) {
  // The slot is what it was in the recorded call, and another number in the others.
  EXPECT_LE(plans_of("def forward(self, x):\n"
                     "  y = x + self.ptr\n"
                     "  self.ptr = (self.ptr * 3 + 1) % 7\n"
                     "  self.other = self.other - self.other % 2 + 2\n"
                     "  return y, self.ptr, self.other\n",
                     {{"ptr", int64_t{0}}, {"other", int64_t{3}}}, ramp),
            4);
}

TEST(OpenNumbers, ResetToAConstant) {
  plans_of(
      "def forward(self, x):\n"
      "  y = x * self.n\n"
      "  if self.n >= 5:\n"
      "    self.n = 0\n"
      "  else:\n"
      "    self.n = self.n + 1\n"
      "  return y, self.n\n",
      {{"n", int64_t{0}}}, ramp);
}

TEST(OpenNumbers, ResetByAnInput) {
  plans_of(
      "def forward(self, x, reset: bool):\n"
      "  y = x * self.n\n"
      "  self.n = 0 if reset else self.n + 1\n"
      "  return y, self.n\n",
      {{"n", int64_t{0}}}, [](int i) {
        return Inputs{ramp(i)[0], i % 5 == 0};
      });
}

TEST(OpenNumbers, CacheThatGrowsAndThenRolls) {
  // Shapes follow the number up to four rows; from then on only it changes.
  EXPECT_LE(plans_of("def forward(self, x):\n"
                     "  k = torch.cat([self.k, x], 0)\n"
                     "  if self.pos >= 4:\n"
                     "    k = k[1:]\n"
                     "  self.k = k\n"
                     "  self.pos = self.pos + 1\n"
                     "  t = torch.arange(self.pos, self.pos + x.size(0))\n"
                     "  return (x @ k.t()).softmax(-1) @ k + self.table[t % 5] + t, self.pos\n",
                     {{"k", at::zeros({0, 3})},
                      {"pos", int64_t{0}},
                      {"table", at::arange(15, at::kFloat).view({5, 3})}},
                     [](int i) {
                       return Inputs{at::full({1, 3}, 0.1 * i)};
                     }),
            7);
}

TEST(OpenNumbers, IntInputThatChanges) {
  EXPECT_EQ(plans_of("def forward(self, x, pos: int):\n"
                     "  at = torch.arange(pos, pos + x.size(0)).float() * self.inv\n"
                     "  return x * at.cos()[:, None] + at.sin()[:, None], pos + 1\n",
                     {{"inv", 0.3}},
                     [](int i) {
                       return Inputs{ramp(i)[0], int64_t{i}};
                     }),
            3);
}

TEST(OpenNumbers, FloatInputThatChanges) {
  EXPECT_EQ(plans_of("def forward(self, x, temperature: float):\n"
                     "  return (x / temperature).softmax(-1), (x > temperature).int()\n",
                     {},
                     [](int i) {
                       return Inputs{ramp(i)[0], 0.25 + 0.125 * i};
                     }),
            3);
}

TEST(OpenNumbers, BecomeTensors) {
  EXPECT_EQ(plans_of("def forward(self, x, n: int, f: float):\n"
                     "  a = torch.tensor(n) + x\n"
                     "  b = torch.tensor([n]) * x\n"
                     "  c = torch.full([3], f) + x\n"
                     "  d = torch.full([2, 1], n) + x\n"
                     "  return a, b, c, d, x.masked_fill(x > 0.5, f), torch.tensor(f) * 2\n",
                     {},
                     [](int i) {
                       return Inputs{ramp(i)[0], int64_t{i}, 0.5 * i};
                     }),
            3);
}

TEST(OpenNumbers, IntegersAndWideFloatsAsLibTorchPromotesThem) {
  EXPECT_EQ(
      plans_of("def forward(self, i, d, n: int, f: float):\n"
               "  return i * n, i * f, i // (n + 1), d * n, d - f, i < f, n - i, i[0, 0] * f\n",
               {},
               [](int i) {
                 const at::Tensor x = at::arange(6).view({2, 3});
                 return Inputs{x, x.to(at::kDouble) * 0.1, int64_t{i}, 0.3 * i};
               }),
      3);
}

TEST(OpenNumbers, ShapesLoopsAndBranchesAreGuarded) {
  plans_of(
      "def forward(self, x, n: int):\n"
      "  y = x\n"
      "  for i in range(n % 4):\n"
      "    y = y * 1.5 + i\n"
      "  if n % 3 == 0:\n"
      "    y = y - n\n"
      "  return y, torch.zeros(n % 5 + 1), x[n % 2], [n, n + 1]\n",
      {},
      [](int i) {
        return Inputs{ramp(i)[0], int64_t{i}};
      },
      70);
}

TEST(OpenNumbers, HalvesAreGuarded) {
  plans_of("def forward(self, x, f: float):\n  return x * f + f\n", {}, [](int i) {
    return Inputs{ramp(i)[0].toTensor().to(at::kBFloat16), 0.1 * i};
  });
}

TEST(OpenNumbers, AcrossBlocks) {
  plans_of(
      "def forward(self, x):\n"
      "  self.n = self.n + 1\n"
      "  y = x * self.n\n"
      "  if bool(y.sum() > 20):\n"
      "    y = y - self.n\n"
      "  k = int(y.max())\n"
      "  return y + self.n, k + self.n\n",
      {{"n", int64_t{0}}}, ramp);
}

TEST(OpenNumbers, WhatHostArithmeticRefusesRaises) {
  const ScriptModule module("def forward(self, x, n: int):\n  return x * (12 // (6 - n))\n");
  const Engine engine = module.load(blocking());
  for (int64_t i = 0; i < 12; ++i) {
    if (i == 6) {
      EXPECT_THROW(engine.run({ramp(0)[0], i}), Error);
    } else {
      expect_same(module.run({ramp(0)[0], i}), engine.run({ramp(0)[0], i}), static_cast<int>(i));
    }
  }
  EXPECT_EQ(engine.counters().plans_built, 3);
}

TEST(OpenNumbers, ManySessionsAtOnce) {
  const Engine engine = ScriptModule(
                            "def forward(self, x):\n"
                            "  self.n = self.n + 1\n"
                            "  return x * self.n + 1, self.n\n",
                            {{"n", int64_t{0}}})
                            .load();
  std::vector<std::thread> threads;
  for (int t = 1; t <= 8; ++t) {
    threads.emplace_back([&engine, t] {
      Session session = engine.session();
      for (int i = 1; i <= 200; ++i) {
        const c10::IValue got = session.run({at::full({3}, double(t))});
        ASSERT_EQ(got.toTupleRef().elements()[1].toInt(), i);
        ASSERT_TRUE(
            at::equal(got.toTupleRef().elements()[0].toTensor(), at::full({3}, t * i + 1.0)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(engine.counters().plans_built, 16);
}

TEST(ReturningSignatures, GrowthThatNeverEndsIsSaidAndNotPlanned) {
  std::vector<std::string> said;
  Options options = blocking();
  options.log = [&](LogLevel level, std::string_view message) {
    if (level == LogLevel::kWarning) said.emplace_back(message);
  };
  const ScriptModule module(
      "def forward(self, x):\n"
      "  self.k = torch.cat([self.k, x], 0)\n"
      "  return self.k.sum(0)\n",
      {{"k", at::zeros({0, 3})}});
  const Engine engine = module.load(options);
  Session session = engine.session();
  for (int i = 0; i < 40; ++i)
    expect_same(module.run({at::ones({1, 3})}), session.run({at::ones({1, 3})}), i);
  EXPECT_EQ(engine.counters().plans_built, 8);
  ASSERT_EQ(said.size(), 1);
  EXPECT_NE(said[0].find("attribute k is f32[8,3] where it was f32[7,3]"), std::string::npos)
      << said[0];
  // The second time that the same lengths come, they are planned; the third time plans answer.
  for (int round = 0; round < 2; ++round) {
    session.reset();
    for (int i = 0; i < 40; ++i) session.run({at::ones({1, 3})});
  }
  EXPECT_EQ(engine.counters().plans_built, 40);
  EXPECT_EQ(said.size(), 1);
}

TEST(ReturningSignatures, ExplainSaysWhatChanges) {
  const Engine engine = ScriptModule(
                            "def forward(self, x):\n"
                            "  self.k = torch.cat([self.k, x], 0)\n"
                            "  return self.k.sum(0)\n",
                            {{"k", at::zeros({0, 3})}})
                            .load(blocking());
  Session session = engine.session();
  for (int i = 0; i < 30; ++i) session.run({at::ones({2, 3})});
  const Explanation explanation = engine.explain({at::ones({5, 3})});
  EXPECT_NE(explanation.blocks.back().reason.find("attribute k is"), std::string::npos)
      << explanation.blocks.back().reason;
}

}  // namespace
}  // namespace torchweld::testing
