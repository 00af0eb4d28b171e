// Rows on the host, rounded in the order in which LibTorch rounds them: bit by bit its answers, for
// rows of any length.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "kernels/x86/isa.h"
#include "kernels/x86/reduce.h"
#include "tests/support/script_module.h"
#include "torchweld/torchweld.h"

namespace torchweld::testing {
namespace {

/// In parts, since an engine keeps so many plans.
std::vector<std::vector<int64_t>> row_lengths() {
  std::vector<std::vector<int64_t>> parts = {{127, 128, 129, 1000, 1024, 4099, 8191, 8192, 140007},
                                             {}};
  for (int64_t length = 1; length <= 70; ++length)
    parts[static_cast<size_t>(length % 2)].push_back(length);
  return parts;
}

/// A formula of x, a matrix of few or of many rows.
struct Formula {
  std::string name, text;
  int64_t shortest = 1;  // row whose order is LibTorch's
};
void PrintTo(const Formula& f, std::ostream* out) { *out << f.name; }

class RowOrder : public ::testing::TestWithParam<Formula> {};

TEST_P(RowOrder, IsEagers) {
  if (x86::host_isa() != x86::Isa::kAvx512) GTEST_SKIP() << "the orders were seen with AVX-512";
  at::manual_seed(5);
  const ScriptModule module("def forward(self, x):\n  return " + GetParam().text + "\n");
  for (const int64_t rows : {3, 20}) {
    for (const std::vector<int64_t>& lengths : row_lengths()) {
      const Engine engine = module.load(blocking());
      int64_t plans = 0;
      for (const int64_t columns : lengths) {
        if (columns < GetParam().shortest) continue;
        ++plans;
        for (int i = 0; i < 2; ++i) {
          const at::Tensor x = at::randn({rows, columns}) * 3 + 0.5;
          const at::Tensor expected = module.run({x}).toTensor(),
                           actual = engine.run({x}).toTensor();
          EXPECT_TRUE(at::equal(expected, actual))
              << rows << " rows of " << columns << ": " << expected.ne(actual).sum().item<int64_t>()
              << " of " << x.numel() << " differ";
        }
      }
      EXPECT_EQ(engine.counters().planned_blocks, plans);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Formulas, RowOrder,
    ::testing::Values(
        Formula{"softmax", "torch.softmax(x, -1)"},
        Formula{"softmax_amid_others", "torch.softmax(torch.relu(x) * 0.3 + 1, 1) * 2 - x"},
        Formula{"sum", "torch.sum(x, -1)", 32}, Formula{"mean", "torch.mean(x, -1)", 32},
        Formula{"sum_amid_others", "torch.sum(x * 2 + 1, -1) * 0.5", 32},
        Formula{"rms_norm", "x * torch.rsqrt(torch.mean(x.pow(2), -1, keepdim=True) + 1e-6)", 32}),
    [](const auto& info) { return info.param.name; });

TEST(SumRows, IsEagers) {
  if (!x86::host_isa()) GTEST_SKIP() << "no AVX2";
  for (const std::vector<int64_t>& lengths : row_lengths()) {
    for (const int64_t columns : lengths) {
      const at::Tensor x = at::randn({5, columns}), sums = at::empty({5});
      x86::sum_rows(x.const_data_ptr<float>(), 5, columns, columns, sums.mutable_data_ptr<float>());
      EXPECT_TRUE(at::equal(sums, at::sum(x, -1))) << columns;
    }
  }
}

}  // namespace
}  // namespace torchweld::testing
