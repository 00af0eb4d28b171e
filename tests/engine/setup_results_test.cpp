// Results of setup nodes are shared while a plan holds them, and no longer.
#include "engine/setup_results.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace torchweld::testing {
namespace {

TEST(SetupResults, AreMadeOnceForTheSameCallOnTheSameTensors) {
  SetupResults results;
  const at::Tensor a = at::ones({2, 3}), b = at::ones({2, 3});
  int made = 0;
  const auto find = [&](const std::string& call, const std::vector<at::Tensor>& operands) {
    return results.find_or_make(call, operands, [&] {
      ++made;
      return at::cat(operands);
    });
  };
  const at::Tensor first = find("cat", {a, b});
  EXPECT_TRUE(find("cat", {a, b}).is_same(first));
  EXPECT_EQ(made, 1);
  const std::vector<at::Tensor> others{find("cat", {b, a}), find("stack", {a, b}),
                                       find("cat", {a, b.t().contiguous().t()}),
                                       find("cat", {a, b.view({3, 2}).t()})};
  for (const at::Tensor& other : others) EXPECT_FALSE(other.is_same(first));
  EXPECT_EQ(made, 5);
}

TEST(SetupResults, AreMadeAnewWhenNobodyHoldsThem) {
  SetupResults results;
  const at::Tensor a = at::ones({2, 3});
  int made = 0;
  for (int i = 0; i < 2; ++i) {
    results.find_or_make("neg", {a}, [&] {
      ++made;
      return a.neg();
    });
  }
  EXPECT_EQ(made, 2);
}

TEST(SetupResults, PackedWeightsAreShared) {
  SetupResults results;
  const at::Tensor w = at::randn({40, 8});
  const float* data = w.const_data_ptr<float>();
  const x86::PackedMatrix first = results.find_or_pack(data, {8, 40, 1, 8}),
                          again = results.find_or_pack(data, {8, 40, 1, 8}),
                          other = results.find_or_pack(data, {40, 8, 8, 1});
  EXPECT_EQ(again.data, first.data);
  EXPECT_EQ(again.panel, first.panel);
  EXPECT_NE(other.data, first.data);
}

TEST(SetupResults, TransformedWeightsAreSharedAndApartFromPackedOnes) {
  SetupResults results;
  const at::Tensor w = at::randn({40, 8, 3, 3});
  const float* data = w.const_data_ptr<float>();
  const x86::MatrixLayout layout{72, 40, 1, 72, 8, 9};
  const auto packed = results.find_or_pack(data, layout).data;
  const auto first = results.find_or_transform(data, layout);
  EXPECT_NE(first, packed);
  EXPECT_EQ(results.find_or_transform(data, layout), first);
  w[3][2][1][0] = NAN;
  EXPECT_EQ(results.find_or_transform(data, {72, 40, 1, 72, 8, 9, 4}), nullptr);
}

}  // namespace
}  // namespace torchweld::testing
