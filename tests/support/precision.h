// A small model whose products may be computed in less than float32, for the host and devices.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/script_module.h"

namespace torchweld::testing {

inline ScriptModule mlp() {
  at::manual_seed(1);
  return ScriptModule(R"(
def forward(self, x):
    h = torch.relu(torch.addmm(self.b, x, self.w))
    return torch.softmax(torch.mm(h, self.w), -1) + x
)",
                      {{"w", at::randn({256, 256}) / 16}, {"b", at::randn({256})}});
}

/// Planned at once and as the planner says.
inline Options with(Precision precision) {
  Options options = blocking();
  options.precision = precision;
  options.measure_plans = false;
  return options;
}

/// How far the engine's planned answer is from LibTorch's in float32.
inline double largest_error(const Engine& engine, const ScriptModule& module, const at::Tensor& x) {
  engine.prepare({x});
  const at::Tensor expected = module.run({x}).toTensor();
  const at::Tensor actual = engine.run({x}).toTensor();
  EXPECT_EQ(actual.scalar_type(), at::kFloat);
  return (expected - actual).abs().max().item<double>();
}

}  // namespace torchweld::testing
