#include <nlohmann/json.hpp>

#include "cli/explanation_text.h"

namespace torchweld::cli {
namespace {

using Json = nlohmann::ordered_json;

Json coverage_json(const Coverage& coverage) {
  return {{"nodes", coverage.nodes}, {"us", coverage.us}};
}

Json step_json(const ExplainedStep& step) {
  Json nodes = Json::array();
  for (const ExplainedNode& node : step.nodes) {
    nodes.push_back({{"op", node.op}, {"source", node.source}, {"text", node.text}});
  }
  return {{"kind", name_of(step.kind)},    {"name", step.name},
          {"reason", step.reason},         {"nodes", nodes},
          {"inputs", step.inputs},         {"outputs", step.outputs},
          {"depends_on", step.depends_on}, {"kernel", step.kernel},
          {"median_us", step.median_us}};
}

Json stretch_json(const ExplainedStretch& stretch) {
  return {{"name", stretch.name},
          {"planned_us", stretch.planned_us},
          {"eager_us", stretch.eager_us},
          {"stays_eager", stretch.stays_eager},
          {"for_rounding", stretch.for_rounding}};
}

Json block_json(const ExplainedBlock& block) {
  Json measured = Json::array();
  for (const ExplainedStretch& s : block.measured) measured.push_back(stretch_json(s));
  Json steps = Json::array();
  for (const ExplainedStep& step : block.steps) steps.push_back(step_json(step));
  return {{"title", block.title},
          {"ending", block.ending},
          {"reason", block.reason},
          {"inputs", block.inputs},
          {"outputs", block.outputs},
          {"steps", steps},
          {"measured", measured},
          {"graph", block.graph},
          {"recorded_nodes", block.recorded_nodes},
          {"arena_bytes", block.arena_bytes},
          {"live_bytes", block.live_bytes},
          {"unplanned_bytes", block.unplanned_bytes},
          {"constant_bytes", block.constant_bytes}};
}

}  // namespace

nlohmann::ordered_json explanation_json(const Explanation& explanation) {
  Json blocks = Json::array();
  for (const ExplainedBlock& block : explanation.blocks) blocks.push_back(block_json(block));
  return {{"archive", explanation.archive},
          {"method", explanation.method},
          {"device", explanation.device},
          {"backend", explanation.backend},
          {"precision", explanation.precision},
          {"coverage",
           {{"fused", coverage_json(explanation.fused)},
            {"library", coverage_json(explanation.library)},
            {"eager", coverage_json(explanation.eager)}}},
          {"blocks", blocks}};
}

}  // namespace torchweld::cli
