// Rows of tables by a planned copy.
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "tests/support/script_module.h"
#include "torchweld/error.h"

namespace torchweld::testing {
namespace {

TEST(RowGather, AnIndexOutOfRangeIsAnErrorOfThatCall) {
  const ScriptModule module("def forward(self, x, i):\n  return x[i] * 2\n");
  const Engine engine = module.load(blocking());
  const at::Tensor x = at::arange(6, at::kFloat).view({3, 2});
  const at::Tensor good = at::tensor({2, -3}, at::kLong), bad = at::tensor({0, 3}, at::kLong);
  const at::Tensor expected = at::tensor({8.f, 10.f, 0.f, 2.f}).view({2, 2});
  for (int run = 0; run < 3; ++run) {
    EXPECT_TRUE(at::equal(engine.run({x, good}).toTensor(), expected));
    if (run == 0) continue;
    try {
      engine.run({x, bad});
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kOperatorFailed);
      EXPECT_NE(std::string(error.what()).find("aten::index"), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find("names none of 3 rows"), std::string::npos)
          << error.what();
    }
  }
}

}  // namespace
}  // namespace torchweld::testing
