#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/explanation_text.h"
#include "torchweld/error.h"

namespace torchweld::cli {
namespace {

Explanation sample() {
  ExplainedStep fused{
      StepKind::kFused, "fused_relu_mul_f32", "", {{"aten::relu", "code/m.py:3", "%2 = relu(%1)"}}};
  fused.kernel = "load 0\nstore 1";
  fused.median_us = 2.5;
  ExplainedStep eager{
      StepKind::kEager, "aten::sort", "no fused form of \"sort\"", {{"aten::sort", "", ""}}};
  eager.depends_on = {0};
  ExplainedBlock block;
  block.title = "forward";
  block.ending = "returns";
  block.steps = {fused, eager};
  Explanation explanation;
  explanation.archive = "m.pt";
  explanation.method = "forward";
  explanation.blocks = {block};
  explanation.fused = {1, 2.5};
  explanation.eager = {1, 0};
  return explanation;
}

TEST(ExplanationText, TellsKindsReasonsSourcesAndKernels) {
  const std::string text = explanation_text(sample(), false);
  for (const char* expected :
       {"fused_relu_mul_f32", "code/m.py:3", "why: no fused form", "load 0", "1 nodes ( 50 %)"}) {
    EXPECT_NE(text.find(expected), std::string::npos) << expected << " is missing in\n" << text;
  }
}

TEST(ExplanationJson, KeepsEveryStep) {
  const auto json = explanation_json(sample());
  EXPECT_EQ(json["blocks"][0]["steps"][1]["depends_on"][0], 0);
  EXPECT_EQ(json["coverage"]["fused"]["nodes"], 1);
}

TEST(ExplanationDot, IsDrawnByGraphviz) {
  const std::string path = ::testing::TempDir() + "explanation.svg";
  write_svg(explanation_dot(sample()), path);
  EXPECT_GT(std::filesystem::file_size(path), 500u);
  std::remove(path.c_str());
  EXPECT_THROW(write_svg(explanation_dot(sample()), "/nowhere/explanation.svg"), Error);
}

}  // namespace
}  // namespace torchweld::cli
