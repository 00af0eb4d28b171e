// Plans whose results would not be LibTorch's for rounding: what amplifies it stays LibTorch's.
#include "engine/agreement.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "loader/tolerance.h"
#include "tests/support/script_module.h"
#include "tests/support/verdict_folder.h"

namespace torchweld::testing {
namespace {

// The gelu's last bit moves the sine by up to 1e-3; the rest is bit-equal.
constexpr const char* kAmplifies =
    "def forward(self, x):\n"
    "  y = torch.relu(x * 3 + 1) * 0.5\n"
    "  return torch.sub(torch.gelu(y) * self.factor, torch.trunc(torch.gelu(y) * self.factor)), "
    "y\n";

double to_libtorch(const Engine& engine, const ScriptModule& module, const at::Tensor& x) {
  const c10::IValue expected = module.run({x}), actual = engine.run({x});
  double largest = 0;
  for (size_t i = 0; i < 2; ++i)
    largest = std::max(largest, distance(expected.toTupleRef().elements()[i].toTensor(),
                                         actual.toTupleRef().elements()[i].toTensor()));
  return largest;
}

size_t steps_for_rounding(const Explanation& explanation) {
  const auto& steps = explanation.blocks[0].steps;
  return static_cast<size_t>(std::count_if(steps.begin(), steps.end(), [](const auto& s) {
    return s.reason == "the results depend on LibTorch's rounding here";
  }));
}

ScriptModule amplifier(double factor, const char* source = kAmplifies) {
  return ScriptModule(source, {{"factor", at::full({64}, factor)}});
}

// As above, by the order of a sum.
constexpr const char* kAmplifiesSums =
    "def forward(self, x):\n"
    "  y = torch.relu(x * 3 + 1) * 0.5\n"
    "  n = torch.layer_norm(y, [64]) * self.factor\n"
    "  return torch.sub(n, torch.trunc(n)), y\n";

TEST(Agreement, DistancesAreInUnitsOfTorchTestingsTolerance) {
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::nan("");
  const AllowedError f32 = default_tolerance(at::kFloat);
  const auto at_one = [](double number) { return at::full({3}, number); };
  EXPECT_EQ(distance(at_one(1), at_one(1)), 0);
  EXPECT_NEAR(distance(at_one(0), at_one(f32.absolute / 2)), 0.5, 1e-6);
  EXPECT_NEAR(distance(at_one(1000), at_one(1001)), 1 / (1000 * f32.relative + f32.absolute), 1e-3);
  EXPECT_EQ(distance(at_one(nan), at_one(nan)), 0);
  EXPECT_EQ(distance(at_one(infinity), at_one(infinity)), 0);
  EXPECT_EQ(distance(at_one(infinity), at_one(-infinity)), infinity);
  EXPECT_EQ(distance(at_one(nan), at_one(1)), infinity);
  EXPECT_EQ(distance(at_one(1), at_one(nan)), infinity);
  EXPECT_EQ(distance(at_one(1), at::full({2}, 1.0)), infinity);
  EXPECT_EQ(distance(at::arange(3), at::arange(3)), 0);
  EXPECT_EQ(distance(at::arange(3), at::arange(1, 4)), infinity);
  const at::Tensor c = at::complex(at_one(0), at_one(0));
  EXPECT_NEAR(distance(c, at::complex(at_one(0), at_one(f32.absolute))), 1, 1e-6);
}

TEST(Agreement, WhatAmplifiesRoundingStaysLibTorchs) {
  const VerdictFolder folder;
  const ScriptModule module = amplifier(1000);
  const at::Tensor x = at::randn({200, 64});
  Options unmeasured = blocking();
  unmeasured.measure_plans = false;
  const Engine as_planned = module.load(unmeasured);
  as_planned.prepare({x});
  ASSERT_GT(to_libtorch(as_planned, module, x), 1) << "nothing to mend";

  const Engine engine = module.load(blocking());
  const Explanation explanation = engine.explain({x});
  EXPECT_EQ(steps_for_rounding(explanation), 1u) << "the function alone";
  const auto& measured = explanation.blocks[0].measured;
  EXPECT_TRUE(std::any_of(measured.begin(), measured.end(),
                          [](const ExplainedStretch& s) { return s.for_rounding; }));
  for (int i = 0; i < 3; ++i) EXPECT_LE(to_libtorch(engine, module, x), 1);
  for (int i = 0; i < 5; ++i) EXPECT_LE(to_libtorch(engine, module, at::randn({200, 64})), 1);
}

TEST(Agreement, PlansWithinTheTolerancesStayAsTheyAre) {
  const VerdictFolder folder;
  const ScriptModule module = amplifier(0.5);
  const at::Tensor x = at::randn({200, 64});
  EXPECT_EQ(steps_for_rounding(module.load(blocking()).explain({x})), 0u);
}

TEST(Agreement, SumsThatAmplifyStayLibTorchs) {
  const VerdictFolder folder;
  const ScriptModule module = amplifier(1000, kAmplifiesSums);
  const Engine engine = module.load(blocking());
  EXPECT_GE(steps_for_rounding(engine.explain({at::randn({200, 64})})), 1u);
  for (int i = 0; i < 5; ++i) EXPECT_LE(to_libtorch(engine, module, at::randn({200, 64})), 1);
}

// A verdict on disk is of a graph; which weights it has isn't in it.
TEST(Agreement, OtherWeightsOfTheSameModelAreComparedAnew) {
  const VerdictFolder folder;
  const at::Tensor x = at::randn({200, 64});
  const ScriptModule mild = amplifier(0.5, kAmplifiesSums);
  EXPECT_EQ(steps_for_rounding(mild.load(blocking()).explain({x})), 0u);
  ASSERT_EQ(folder.files().size(), 1u);
  const ScriptModule sharp = amplifier(1000, kAmplifiesSums);
  const Engine engine = sharp.load(blocking());
  EXPECT_GE(steps_for_rounding(engine.explain({x})), 1u);
  EXPECT_LE(to_libtorch(engine, sharp, x), 1);
  EXPECT_EQ(folder.files().size(), 1u) << "not the same verdict";
  const Engine again = sharp.load(blocking());
  EXPECT_GE(steps_for_rounding(again.explain({x})), 1u);
  EXPECT_LE(to_libtorch(again, sharp, x), 1);
}

TEST(Agreement, HalvesAndOtherPrecisionsAreNotCompared) {
  Graph graph;
  graph.values.resize(2);
  EXPECT_TRUE(has_tight_tolerances(graph, Target{}));
  Target narrow;
  narrow.products = DType::kBF16;
  EXPECT_FALSE(has_tight_tolerances(graph, narrow));
  Target tf32;
  tf32.tf32 = true;
  EXPECT_FALSE(has_tight_tolerances(graph, tf32));
  graph.values[1].dtype = DType::kF16;
  EXPECT_FALSE(has_tight_tolerances(graph, Target{}));
}

}  // namespace
}  // namespace torchweld::testing
