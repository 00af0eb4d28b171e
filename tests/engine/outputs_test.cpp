// Whose memory an answer is, and how exact it is.
#include <ATen/ATen.h>
#include <c10/core/CPUAllocator.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "kernels/x86/isa.h"
#include "tests/support/script_module.h"
#include "torchweld/torchweld.h"

namespace torchweld::testing {
namespace {

at::Tensor first(const c10::IValue& answer) {
  return answer.isTensor() ? answer.toTensor() : answer.toTuple()->elements()[0].toTensor();
}
at::Tensor second(const c10::IValue& answer) { return answer.toTuple()->elements()[1].toTensor(); }

/// Stands for LibTorch's allocator and counts what is alive.
class CountingAllocator final : public c10::Allocator {
 public:
  CountingAllocator() : before_(c10::GetCPUAllocator()) { c10::SetCPUAllocator(this, 255); }
  ~CountingAllocator() override { c10::SetCPUAllocator(before_, 255); }

  c10::DataPtr allocate(size_t bytes) override {
    auto* const block = new Block{before_->allocate(bytes), bytes};
    alive += static_cast<int64_t>(bytes);
    most = std::max(most, alive);
    return {block->memory.get(), block, &free, c10::kCPU};
  }
  c10::DeleterFnPtr raw_deleter() const override { return nullptr; }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

  static inline int64_t alive = 0, most = 0;

 private:
  struct Block {
    c10::DataPtr memory;
    size_t bytes;
  };
  static void free(void* block) {
    alive -= static_cast<int64_t>(static_cast<Block*>(block)->bytes);
    delete static_cast<Block*>(block);
  }

  c10::Allocator* const before_;
};

// Sixteen results, of which a step needs one.
TEST(Outputs, LibTorchsStepsHoldNoMoreThanTheNextOnesNeed) {
  std::string source = "def forward(self, x):\n";
  for (int i = 0; i < 16; ++i) source += "  x = torch.logcumsumexp(x, 1)\n";
  const Engine engine = ScriptModule(source + "  return x\n").load(blocking());
  const at::Tensor x = at::randn({64, 1024});
  engine.prepare({x});
  engine.run({x});
  const CountingAllocator allocator;
  engine.run({x});
  EXPECT_GT(allocator.most, 0);
  EXPECT_LT(allocator.most, 6 * static_cast<int64_t>(x.nbytes()));
  EXPECT_EQ(allocator.alive, 0);
}

TEST(Outputs, AnInputGivenBackIsTheInput) {
  const Engine engine = ScriptModule("def forward(self, x):\n  return x, x.t()\n").load(blocking());
  for (int i = 0; i < 3; ++i) {
    const at::Tensor x = at::randn({2, 3});
    const c10::IValue answer = engine.run({x});
    EXPECT_TRUE(first(answer).is_same(x));
    EXPECT_EQ(second(answer).data_ptr(), x.data_ptr());
    EXPECT_TRUE(at::equal(second(answer), x.t()));
  }
}

TEST(Outputs, APartOfAnInputIsAViewOfIt) {
  const Engine engine = ScriptModule("def forward(self, x):\n  return x[1]\n").load(blocking());
  for (int i = 0; i < 3; ++i) {
    const at::Tensor x = at::randn({2, 3});
    first(engine.run({x})).fill_(7);
    EXPECT_TRUE(at::equal(x[1], at::full({3}, 7.0)));
  }
}

TEST(Outputs, AParameterGivenBackIsTheParameter) {
  const Engine engine =
      ScriptModule("def forward(self, x):\n  return self.w, x + self.w\n", {{"w", at::ones({3})}})
          .load(blocking());
  for (int i = 1; i < 4; ++i) {
    const c10::IValue answer = engine.run({at::zeros({3})});
    EXPECT_TRUE(at::equal(second(answer), at::full({3}, double(i))));
    first(answer).add_(1);  // as in LibTorch, the next call sees it
  }
}

TEST(Outputs, TwoOutputsThatAreOneTensorStayOne) {
  const Engine engine =
      ScriptModule("def forward(self, x):\n  y = torch.relu(x) + 1\n  return y, y.view(-1)\n")
          .load(blocking());
  for (int i = 0; i < 3; ++i) {
    const c10::IValue answer = engine.run({at::randn({2, 3})});
    first(answer).fill_(9);
    EXPECT_TRUE(at::equal(second(answer), at::full({6}, 9.0)));
  }
}

TEST(Outputs, EqualValuesAreNotOneTensor) {
  const Engine engine =
      ScriptModule("def forward(self, x):\n  return torch.relu(x), torch.relu(x)\n")
          .load(blocking());
  for (int i = 0; i < 3; ++i) {
    const at::Tensor x = at::ones({4});
    const c10::IValue answer = engine.run({x});
    first(answer).fill_(9);
    EXPECT_TRUE(at::equal(second(answer), x));
  }
}

TEST(Outputs, AConstantMadeByTheModelIsFreshEachCall) {
  const Engine engine =
      ScriptModule("def forward(self, x):\n  return torch.zeros([3]) + 1, x * 2\n")
          .load(blocking());
  for (int i = 0; i < 3; ++i) {
    const c10::IValue answer = engine.run({at::ones({3})});
    EXPECT_TRUE(at::equal(first(answer), at::ones({3})));
    first(answer).fill_(99);
  }
}

TEST(Outputs, FoldedWeightsAreFreshEachCall) {
  const Engine engine =
      ScriptModule("def forward(self, x):\n  return self.w * 2, x * 2\n", {{"w", at::ones({3})}})
          .load(blocking());
  for (int i = 0; i < 3; ++i) {
    const c10::IValue answer = engine.run({at::ones({3})});
    EXPECT_TRUE(at::equal(first(answer), at::full({3}, 2.0)));
    first(answer).fill_(99);
  }
}

TEST(Outputs, AnswersOutliveLaterCallsAndTheEngine) {
  std::vector<at::Tensor> kept, expected;
  {
    const ScriptModule module(
        "def forward(self, x):\n  y = torch.tanh(x) * 2\n  return torch.logcumsumexp(y, 0) + "
        "y.t()\n");
    const Engine engine = module.load(blocking());
    for (int i = 0; i < 20; ++i) {
      const at::Tensor x = at::randn({300, 300});
      kept.push_back(first(engine.run({x})));
      expected.push_back(module.run({x}).toTensor());
    }
  }
  for (size_t i = 0; i < kept.size(); ++i)
    EXPECT_TRUE(at::allclose(kept[i], expected[i], 1e-4, 1e-4)) << i;
}

TEST(Outputs, WritingToAnAnswerChangesNoLaterOne) {
  const ScriptModule module(
      "def forward(self, x):\n  y = torch.relu(x) + 1\n  return y, y * 2, torch.logcumsumexp(y, "
      "0)\n");
  const Engine engine = module.load(blocking());
  const at::Tensor x = at::randn({5, 7});
  for (int i = 0; i < 5; ++i) {
    const auto got = engine.run({x}).toTuple(), expected = module.run({x}).toTuple();
    for (size_t o = 0; o < 3; ++o) {
      const at::Tensor tensor = got->elements()[o].toTensor();
      EXPECT_TRUE(at::allclose(tensor, expected->elements()[o].toTensor(), 1e-5, 1e-6));
      tensor.fill_(-1e30);
    }
  }
}

TEST(Outputs, InputsAreNotWritten) {
  const Engine engine = ScriptModule(
                            "def forward(self, x):\n  y = x + 0\n  y.add_(1)\n  z = x * 1\n  "
                            "z.relu_()\n  return y * z\n")
                            .load(blocking());
  for (int i = 0; i < 3; ++i) {
    const at::Tensor x = at::randn({4, 4}), copy = x.clone();
    EXPECT_TRUE(at::allclose(first(engine.run({x})), (copy + 1) * at::relu(copy)));
    EXPECT_TRUE(at::equal(x, copy));
  }
}

TEST(Outputs, WritesToInputsReachTheCaller) {
  const ScriptModule module(
      "def forward(self, x):\n  a = torch.relu(x)\n  x.add_(1)\n  b = torch.relu(x)\n  "
      "x[0].mul_(3)\n  return a - b\n");
  const Engine engine = module.load(blocking());
  for (int i = 0; i < 3; ++i) {
    const at::Tensor x = at::randn({4, 4}), copy = x.clone();
    const at::Tensor got = first(engine.run({x})), expected = module.run({copy}).toTensor();
    EXPECT_TRUE(at::allclose(got, expected));
    EXPECT_TRUE(at::allclose(x, copy));
  }
}

TEST(Outputs, InputsThatShareMemoryDoSoInEveryCall) {
  const ScriptModule module("def forward(self, x, y):\n  x.add_(1)\n  return x * 2 + y\n");
  const Engine engine = module.load(blocking());
  for (int i = 0; i < 6; ++i) {
    const at::Tensor a = at::randn({8}), b = at::randn({8}), a2 = a.clone();
    const bool shared = i % 2 == 1;
    const at::Tensor got = first(engine.run({a, shared ? a : b})),
                     expected = module.run({a2, shared ? a2 : b}).toTensor();
    EXPECT_TRUE(at::allclose(got, expected)) << i;
  }
}

TEST(Outputs, OverlappingInputsOfAWritingModel) {
  const ScriptModule module("def forward(self, x, y):\n  x.add_(1)\n  return x * 2 + y\n");
  const Engine engine = module.load(blocking());
  for (int i = 0; i < 6; ++i) {
    const at::Tensor all = at::randn({12}), copy = all.clone();
    const int64_t from = i % 3 * 2;  // 0: the same memory, then shifted
    const at::Tensor got = first(engine.run({all.slice(0, 0, 8), all.slice(0, from, from + 8)}));
    EXPECT_TRUE(at::allclose(
        got, module.run({copy.slice(0, 0, 8), copy.slice(0, from, from + 8)}).toTensor()))
        << i;
    EXPECT_TRUE(at::allclose(all, copy));
  }
}

struct Chain {
  std::string name, source;
};
void PrintTo(const Chain& c, std::ostream* out) { *out << c.name; }

class Exact : public ::testing::TestWithParam<Chain> {};

/// Ordinary values and the special ones.
at::Tensor operand(int64_t seed) {
  at::manual_seed(static_cast<uint64_t>(seed));
  at::Tensor t = at::randn({40, 50}) * at::exp(at::randn({40, 50}) * 20);
  const float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-40f, -1e-40f, 3.4e38f};
  for (int64_t i = 0; i < 8; ++i) t.view(-1)[(i * 7 + seed * 3) % 2000].fill_(special[i]);
  return t;
}

TEST_P(Exact, IsBitEqualToEager) {
  const ScriptModule module(GetParam().source);
  Options options = blocking();
  options.numerics = Numerics::kExact;
  const Engine engine = module.load(options);
  for (int i = 0; i < 3; ++i) {
    const at::Tensor x = operand(i), y = operand(i + 10);
    const at::Tensor expected = module.run({x, y}).toTensor(),
                     actual = engine.run({x, y}).toTensor();
    const at::Tensor both_nan = expected.isnan().logical_and(actual.isnan());
    const at::Tensor equal = expected.view(at::kInt).eq(actual.view(at::kInt)).logical_or(both_nan);
    EXPECT_TRUE(equal.all().item<bool>())
        << expected.masked_select(equal.logical_not()).slice(0, 0, 3)
        << actual.masked_select(equal.logical_not()).slice(0, 0, 3);
  }
  EXPECT_EQ(engine.counters().planned_blocks, 2);
}

INSTANTIATE_TEST_SUITE_P(
    Chains, Exact,
    ::testing::Values(
        Chain{"arithmetic", "def forward(self, x, y):\n  return (x * y + x) * 0.3 - y / (x + 2)\n"},
        Chain{"multiply_add", "def forward(self, x, y):\n  return x * y + y * 0.1 - x * 3.7\n"},
        // No square root: ATen's is MKL's, which rounds one in 150 the other way.
        Chain{"division",
              "def forward(self, x, y):\n  return (torch.relu(x) + 1) / torch.abs(y) / 3 - "
              "torch.reciprocal(y)\n"},
        Chain{"alpha",
              "def forward(self, x, y):\n  return torch.sub(torch.add(x, y, alpha=0.3), x, "
              "alpha=1.7)\n"},
        Chain{"identities",
              "def forward(self, x, y):\n  return ((x + 0) * 1 - 0) * 2 * 3 + (y + y) / 1\n"},
        Chain{"selection",
              "def forward(self, x, y):\n  return torch.where(x > y, torch.maximum(x, y), "
              "torch.clamp(y, -1, 1))\n"},
        Chain{"fused_adds",
              "def forward(self, x, y):\n  return torch.addcmul(x, x, y, value=0.7) + "
              "torch.rsub(y, 1)\n"}),
    [](const auto& info) { return info.param.name; });

TEST(Numerics, BatchNormIsBitEqualToEager) {
  at::manual_seed(3);
  const auto channels = [] { return at::randn({200}); };
  const ScriptModule module(
      "def forward(self, x):\n  return torch.batch_norm(x, self.w, self.b, self.m, self.v, False, "
      "0.1, 1e-05, True), torch.batch_norm(x, None, None, self.m, self.v, False, 0.1, 1e-03, "
      "True)\n",
      {{"w", channels()}, {"b", channels()}, {"m", channels()}, {"v", channels().abs() + 0.01}});
  for (const Numerics numerics : {Numerics::kDefault, Numerics::kExact}) {
    Options options = blocking();
    options.numerics = numerics;
    const Engine engine = module.load(options);
    for (int i = 0; i < 3; ++i) {
      const at::Tensor x = at::randn({2, 200, 7, 9}) * 10;
      const c10::IValue expected = module.run({x}), actual = engine.run({x});
      EXPECT_TRUE(at::equal(first(expected), first(actual)));
      EXPECT_TRUE(at::equal(second(expected), second(actual)));
    }
    EXPECT_EQ(engine.counters().planned_blocks, 2);
  }
}

// oneDNN's orders, which don't depend on who made the processor: a stem, 3x3 with a stride, a batch
// norm, a residual and relu, depthwise, one tap with a stride.
// Plans that nobody compares have no convolutions by tiles.
TEST(Numerics, ConvolutionsAreBitEqualToEager) {
  if (x86::host_isa() != x86::Isa::kAvx512) GTEST_SKIP() << "the order was seen with AVX-512";
  at::manual_seed(4);
  const auto channels = [] { return at::rand({48}) + 0.5; };
  const ScriptModule module(
      "def forward(self, x):\n"
      "  x = torch.relu(torch.conv2d(x, self.stem, self.b, [2, 2], [3, 3]))\n"
      "  y = torch.batch_norm(torch.conv2d(x, self.c, None, [1, 1], [1, 1]), self.w, self.b, "
      "self.b, self.w, False, 0.1, 1e-05, True)\n"
      "  x = torch.relu(y + x)\n"
      "  y = torch.conv2d(x, self.c, self.b, [2, 2], [1, 1])\n"
      "  x = torch.conv2d(x, self.d, self.b, [1, 1], [2, 2], [1, 1], 48)\n"
      "  return y, torch.conv2d(x, self.one, None, [2, 2])\n",
      {{"stem", at::randn({48, 3, 7, 7})},
       {"c", at::randn({48, 48, 3, 3})},
       {"d", at::randn({48, 1, 5, 5})},
       {"one", at::randn({40, 48, 1, 1})},
       {"w", channels()},
       {"b", channels()}});
  Options unmeasured = blocking();
  unmeasured.measure_plans = false;
  const Engine engine = module.load(unmeasured);
  for (int i = 0; i < 3; ++i) {
    const at::Tensor x = at::randn({1, 3, 90, 112});
    const c10::IValue expected = module.run({x}), actual = engine.run({x});
    EXPECT_TRUE(at::equal(first(expected), first(actual)));
    EXPECT_TRUE(at::equal(second(expected), second(actual)));
  }
  EXPECT_EQ(engine.counters().planned_blocks, 2);
}

TEST(Numerics, ConvolutionsByTilesAreCloseToEager) {
  at::manual_seed(5);
  const ScriptModule module(
      "def forward(self, x):\n"
      "  x = torch.relu(torch.conv2d(x, self.c, self.b, [1, 1], [1, 1]) + x)\n"
      "  return x, torch.conv2d(x, self.c, None)\n",
      {{"c", at::randn({64, 64, 3, 3}) / 24}, {"b", at::randn({64})}});
  const Engine engine = module.load(blocking());
  for (int i = 0; i < 4; ++i) {
    const at::Tensor x = at::randn({2, 64, 13, 17});
    if (i > 1) x[1][7][3][4] = i == 2 ? NAN : INFINITY;
    const c10::IValue expected = module.run({x}), actual = engine.run({x});
    EXPECT_TRUE(at::allclose(first(expected), first(actual), 1.3e-6, 1e-5, true));
    EXPECT_TRUE(at::allclose(second(expected), second(actual), 1.3e-6, 1e-5, true));
  }
}

TEST(Numerics, InfiniteWeightsOfConvolutionsStayInTheirSums) {
  at::manual_seed(6);
  const at::Tensor weight = at::randn({64, 64, 3, 3}) / 24;
  weight[5][6][1][1] = INFINITY;
  const ScriptModule module("def forward(self, x):\n  return torch.conv2d(x, self.c)\n",
                            {{"c", weight}});
  const Engine engine = module.load(blocking());
  for (int i = 0; i < 2; ++i) {
    const at::Tensor x = at::randn({1, 64, 9, 9});
    EXPECT_TRUE(at::allclose(first(module.run({x})), first(engine.run({x})), 1.3e-6, 1e-5, true));
  }
}

}  // namespace
}  // namespace torchweld::testing
