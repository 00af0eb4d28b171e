// Weights that nothing writes are constants, whatever else the module writes.
#include "loader/read_weights.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>

#include "loader/attribute_paths.h"

namespace torchweld::testing {
namespace {

namespace jit = torch::jit;

/// Names of what the method still gets from or sets in a module with tensors w and v, the latter a
/// view of the former if they share.
std::vector<std::string> left_of(const std::string& body, bool shares = false) {
  jit::Module module("m");
  const at::Tensor w = at::ones({4, 4});
  module.register_parameter("w", w, false);
  module.register_buffer("v", shares ? w[0] : at::ones({4}));
  module.define("def forward(self, x):\n" + body);
  const auto graph = module.get_method("forward").graph()->copy();
  make_read_weights_constant(graph.get(), module);
  std::vector<std::string> names;
  for (const jit::Node* node : accesses(graph->block())) {
    if (node->kind() == c10::prim::SetAttr || node->hasUses())
      names.push_back(*path_of(*graph, node));
  }
  return names;
}

using Names = std::vector<std::string>;

TEST(ReadWeights, OfOperatorsThatReadThemAreConstants) {
  EXPECT_EQ(left_of("  return torch.mm(x, self.w) + self.v\n"), Names{});
  EXPECT_EQ(left_of("  y = torch.mm(x, self.w)\n  y.add_(self.v)\n  return y\n"), Names{});
}

TEST(ReadWeights, OfARecurrentLayersListAreConstants) {
  EXPECT_EQ(left_of("  y = torch.gru(x, x, [self.w, self.w], False, 1, 0., False, False, True)\n"
                    "  self.v.add_(y[0][0])\n  return y[0]\n"),
            (Names{"v"}));
}

TEST(ReadWeights, ThatAreReadInPiecesAndAsViewsAreConstants) {
  EXPECT_EQ(left_of("  a, b = self.w.chunk(2)\n  self.v.add_(1)\n"
                    "  return torch.linear(x, a) * torch.linear(x, b.view(2, 4))\n"),
            Names{"v"});
  EXPECT_EQ(left_of("  a = self.w.split([1, 3])[1]\n  self.v.add_(1)\n  return x * a.t()[0]\n"),
            Names{"v"});
  EXPECT_EQ(left_of("  self.v.add_(1)\n  if self.w.dtype == x.dtype:\n    x = x + 1\n"
                    "  return torch.mm(x, self.w)\n"),
            Names{"v"});
}

TEST(ReadWeights, OfWhichAPieceIsWrittenOrHandedOnStay) {
  EXPECT_EQ(left_of("  a, b = self.w.chunk(2)\n  b.add_(1)\n  return torch.linear(x, a)\n"),
            Names{"w"});
  EXPECT_EQ(left_of("  a, b = self.w.chunk(2)\n  return b, torch.linear(x, a)\n"), Names{"w"});
  EXPECT_EQ(left_of("  a = self.w.t()[0]\n  a.mul_(2)\n  return x\n"), Names{"w"});
  EXPECT_EQ(left_of("  a = self.w.split([1, 3])\n  a.reverse()\n  return torch.mm(x, a[0])\n"),
            Names{"w"});
}

TEST(ReadWeights, WhatIsWrittenOrHandedOnStays) {
  EXPECT_EQ(left_of("  self.v.add_(1)\n  return torch.mm(x, self.w)\n"), Names{"v"});
  EXPECT_EQ(left_of("  self.v = x\n  return torch.mm(x, self.w)\n"), Names{"v"});
  EXPECT_EQ(left_of("  y = self.w[0]\n  y.add_(1)\n  return x + self.w\n"), (Names{"w", "w"}));
  EXPECT_EQ(left_of("  return [self.w, x]\n"), Names{"w"});
  EXPECT_EQ(left_of("  return self.w\n"), Names{"w"});
}

TEST(ReadWeights, WhatSharesItsMemoryWithThatStays) {
  EXPECT_EQ(left_of("  self.v.add_(1)\n  return torch.mm(x, self.w)\n", true), (Names{"v", "w"}));
  EXPECT_EQ(left_of("  return torch.mm(x, self.w) + self.v\n", true), Names{});
}

}  // namespace
}  // namespace torchweld::testing
