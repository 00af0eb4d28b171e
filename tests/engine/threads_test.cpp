// Calls from many threads, also while plans are made.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/support/script_module.h"
#include "torchweld/torchweld.h"

namespace torchweld::testing {
namespace {

constexpr const char* kModel =
    "def forward(self, x):\n"
    "  y = torch.tanh(torch.linear(x, self.weight, self.bias)) * 2\n"
    "  if bool(y.sum() > 0):\n    y = torch.logcumsumexp(y, 0)\n"
    "  return torch.relu(y + 1), y.t()\n";

struct Asked {
  at::Tensor input;
  at::Tensor first, second;
};

void expect_answers(Planning planning, Numerics numerics) {
  at::manual_seed(1);
  const ScriptModule module(kModel, {{"weight", at::randn({8, 8})}, {"bias", at::randn({8})}});
  std::vector<Asked> all;
  for (int i = 0; i < 12; ++i) {
    Asked asked{at::randn({1 + i % 6, 8}), {}, {}};
    const auto answer = module.run({asked.input}).toTuple();
    asked.first = answer->elements()[0].toTensor(), asked.second = answer->elements()[1].toTensor();
    all.push_back(asked);
  }
  Options options;
  options.planning = planning;
  options.numerics = numerics;
  const Engine engine = module.load(options);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 150; ++i) {
        const Asked& asked = all[static_cast<size_t>((i * 7 + t * 5) % 12)];
        const auto answer = engine.run({asked.input}).toTuple();
        const at::Tensor first = answer->elements()[0].toTensor(),
                         second = answer->elements()[1].toTensor();
        if (!at::allclose(first, asked.first, 1e-5, 1e-5) ||
            !at::allclose(second, asked.second, 1e-5, 1e-5))
          ++wrong;
        first.fill_(-5);  // the answer is ours
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_EQ(engine.counters().calls, 8 * 150);
}

TEST(Threads, MixedShapesWhilePlansAreMadeInTheBackground) {
  expect_answers(Planning::kBackground, Numerics::kDefault);
}
TEST(Threads, MixedShapesWithBlockingPlanning) {
  expect_answers(Planning::kBlocking, Numerics::kExact);
}
TEST(Threads, MixedShapesInterpreted) { expect_answers(Planning::kOff, Numerics::kDefault); }

TEST(Threads, PrepareAndExplainBesideRun) {
  const ScriptModule module("def forward(self, x):\n  return torch.tanh(x * 2 + 1)\n");
  const Engine engine = module.load();
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        const at::Tensor x = at::ones({1 + (i + t) % 7});
        if (t == 0) engine.prepare({x});
        if (t == 1) engine.explain({x});
        if (t == 2 && engine.diverges({x})) ++wrong;
        if (!at::allclose(engine.run({x}).toTensor(), at::tanh(x * 2 + 1))) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
}

}  // namespace
}  // namespace torchweld::testing
