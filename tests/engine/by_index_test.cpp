// Indices that name no place: an error of that call, as LibTorch's, and nothing is written.
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/archives.h"
#include "tests/support/script_module.h"
#include "torchweld/error.h"

namespace torchweld::testing {
namespace {

/// An expression of x [3, 2] and an index, and the lowest and highest of the index's values that
/// LibTorch takes.
struct Case {
  const char* name;
  const char* expression;
  int64_t lowest, highest;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class IndexOutOfRange : public ::testing::TestWithParam<Case> {};

TEST_P(IndexOutOfRange, IsAnErrorOfThatCall) {
  const Case& c = GetParam();
  const ScriptModule module(std::string("def forward(self, x, i):\n  return ") + c.expression +
                            "\n");
  const Engine engine = module.load(blocking());
  const at::Tensor x = at::arange(6, at::kFloat).view({3, 2});
  const at::Tensor before = x.clone();
  const at::Tensor good = at::tensor({c.lowest, c.highest}, at::kLong);
  const at::Tensor expected = module.run({x, good}).toTensor();
  for (int run = 0; run < 3; ++run) {
    EXPECT_TRUE(at::equal(engine.run({x, good}).toTensor(), expected));
    if (run == 0) continue;
    for (const int64_t bad : {c.lowest - 1, c.highest + 1, int64_t{1} << 62}) {
      const at::Tensor index = at::tensor({c.highest, bad}, at::kLong);
      EXPECT_ANY_THROW(module.run({x, index})) << bad;
      try {
        engine.run({x, index});
        ADD_FAILURE() << "no error for " << bad;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kOperatorFailed);
        EXPECT_NE(std::string(error.what()).find(fmt::format("index {} names none of", bad)),
                  std::string::npos)
            << error.what();
      }
      EXPECT_TRUE(at::equal(x, before));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, IndexOutOfRange,
    ::testing::Values(
        Case{"index", "x[i] * 2", -3, 2}, Case{"indices", "x[i, i - i] * 2", -3, 2},
        Case{"index_select", "torch.index_select(x, 0, i) + 1", 0, 2},
        Case{"embedding", "torch.embedding(x, i) + 1", 0, 2},
        Case{"gather", "torch.gather(x, 1, i[:, None]) + 1", 0, 1},
        Case{"take", "torch.take(x, i) + 1", -6, 5},
        Case{"one_hot", "torch.one_hot(i, 4) + 1", 0, 3},
        Case{"scatter_add", "x.scatter_add(0, i[:, None], x) + 1", 0, 2},
        Case{"scatter_value", "x.scatter(1, i[:, None], 7.0) + 1", 0, 1},
        Case{"index_add", "x.index_add(0, i, x[:2] + 1)", 0, 2},
        Case{"embedding_bag",
             "torch.embedding_bag(x, i, torch.tensor([0]), False, 1, False, None)[0] * 2", 0, 2},
        Case{"index_put_rows", "x.index_put([i, torch.zeros_like(i)], x[:2, 0]) + 1", -3, 2},
        Case{"index_put", "x.index_put([i], x[:2] * 2) + 1", -3, 2},
        Case{"cross_entropy", "torch.cross_entropy_loss(x[:2], i, None, 1, 7, 0.1) * 2", 0, 1},
        Case{"nll_loss", "torch.nll_loss_nd(x[:2], i, x[0]) * 2", 0, 1},
        Case{"multi_margin_loss", "torch.multi_margin_loss(x[:2], i, 2, 0.5) * 2", 0, 1},
        Case{"scatter_reduce", "x.scatter_reduce(0, i[:, None], x, 'amax') + 1", 0, 2}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(MaskedScatter, OfTooFewElementsIsAnErrorOfThatCall) {
  const ScriptModule module(
      "def forward(self, x, mask, source):\n  return x.masked_scatter(mask, source) * 2\n");
  const Engine engine = module.load(blocking());
  const at::Tensor x = at::arange(6, at::kFloat).view({3, 2});
  const at::Tensor source = at::tensor({7.f, 8.f});
  const at::Tensor good = at::tensor({1, 0, 0}, at::kLong).to(at::kBool).view({3, 1});
  for (int run = 0; run < 3; ++run) {
    EXPECT_TRUE(at::equal(engine.run({x, good, source}).toTensor(),
                          module.run({x, good, source}).toTensor()));
    try {
      engine.run({x, good.logical_not(), source});
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kOperatorFailed);
      EXPECT_NE(std::string(error.what()).find("source < number of ones in mask"),
                std::string::npos)
          << error.what();
    }
  }
}

class ByIndexArchives : public ::testing::TestWithParam<std::string> {};

TEST_P(ByIndexArchives, LeaveNothingToLibTorch) {
  Options options = blocking();
  options.measure_plans = false;
  const Engine engine = torchweld::load(archive_path(GetParam()), options);
  const Explanation how = engine.explain(archive_inputs(GetParam()).inputs);
  for (const ExplainedBlock& block : how.blocks) {
    EXPECT_TRUE(block.reason.empty()) << block.title << " is interpreted: " << block.reason;
    for (const ExplainedStep& step : block.steps)
      EXPECT_NE(step.kind, StepKind::kEager) << step.name << ": " << step.reason;
  }
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const char* group : {"by_index", "masks", "sampling", "ordering", "resizes"}) {
    const std::vector<std::string> some = archive_names(group);
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, ByIndexArchives, ::testing::ValuesIn(names()), archive_test_name);

TEST(ByIndex, AWriteInPlaceThatFailsWritesNothing) {
  const ScriptModule module(
      "def forward(self, x, i, y):\n  x.index_add_(0, i, y)\n  return x * 1\n");
  const Engine engine = module.load(blocking());
  const at::Tensor y = at::arange(4, at::kFloat).view({2, 2});
  for (int run = 0; run < 3; ++run) {
    const at::Tensor x = at::arange(6, at::kFloat).view({3, 2});
    engine.run({x, at::tensor({2, 2}, at::kLong), y});
    EXPECT_TRUE(at::equal(x[2], at::tensor({6.f, 9.f})));
    const at::Tensor before = x.clone();
    if (run > 0) {
      EXPECT_THROW(engine.run({x, at::tensor({1, 3}, at::kLong), y}), Error);
      EXPECT_TRUE(at::equal(x, before));
    }
  }
}

TEST(ByIndex, SizesOfBatchesThatDontFitTheRowsAreAnError) {
  const Engine engine = torchweld::load(archive_path("recurrent/sizes_of_batches"), blocking());
  std::vector<c10::IValue> inputs = archive_inputs("recurrent/sizes_of_batches").inputs;
  for (int run = 0; run < 3; ++run) {
    inputs[1] = at::tensor({3, 2, 1}, at::kLong);
    engine.run(inputs);
    for (const at::Tensor& bad :
         {at::tensor({3, 3, 1}, at::kLong), at::tensor({1, 2, 3}, at::kLong),
          at::tensor({2, 2, 2}, at::kLong), at::tensor({3, 4, -1}, at::kLong)}) {
      inputs[1] = bad;
      EXPECT_THROW(engine.run(inputs), Error) << run << ": " << bad;
    }
  }
}

}  // namespace
}  // namespace torchweld::testing
