// Options::precision: who takes it, how far answers are from float64, and what explain says.
#include "tests/support/precision.h"

#include <gtest/gtest.h>

#include "engine/runtime.h"

namespace torchweld::testing {
namespace {

/// A kernel's name in some step, or the text of a step's nodes.
bool has_type(const Explanation& explanation, const std::string& type) {
  for (const ExplainedBlock& block : explanation.blocks) {
    for (const ExplainedStep& step : block.steps) {
      for (const std::string& input : step.inputs) {
        if (input.find(type) != std::string::npos) return true;
      }
    }
  }
  return false;
}

TEST(Precision, TheHostNarrowsWhatItIsFastAt) {
  const ScriptModule module = mlp();
  const at::Tensor x = at::randn({32, 256});
  const Engine engine = module.load(with(Precision::kBFloat16));
  const bool narrows = runtime_for(at::kCPU)->multiplies(DType::kBF16);
  const double error = largest_error(engine, module, x);
  EXPECT_LT(error, narrows ? 2e-2 : 2e-6);
  const Explanation explanation = engine.explain({x});
  EXPECT_EQ(has_type(explanation, "bf16"), narrows);
  EXPECT_EQ(explanation.precision,
            narrows ? "products of float32 in bfloat16"
                    : "products stay float32: this device has no fast bfloat16 products");
}

TEST(Precision, AHostWithoutTF32SaysSo) {
  const ScriptModule module = mlp();
  Options options = with(Precision::kTF32);
  std::string said;
  options.log = [&said](LogLevel level, std::string_view text) {
    if (level == LogLevel::kWarning) said += text;
  };
  const at::Tensor x = at::randn({32, 256});
  EXPECT_LT(largest_error(module.load(options), module, x), 2e-6);
  EXPECT_NE(said.find("no fast TF32 products"), std::string::npos) << said;
}

TEST(Precision, ExactNumericsRefuseAnother) {
  Options options = with(Precision::kBFloat16);
  options.numerics = Numerics::kExact;
  try {
    mlp().load(options);
    FAIL() << "both were taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadInput);
    EXPECT_NE(std::string(error.what()).find("one of the two"), std::string::npos);
  }
}

}  // namespace
}  // namespace torchweld::testing
