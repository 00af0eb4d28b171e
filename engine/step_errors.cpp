#include "engine/step_errors.h"

#include <fmt/format.h>

#include "loader/graph_text.h"

namespace torchweld {
namespace {

std::string described(const Graph& graph, const std::vector<ValueId>& values) {
  std::string text;
  for (const ValueId value : values) {
    if (!text.empty()) text += ", ";
    text += describe(graph, value);
  }
  return text.empty() ? "nothing" : text;
}

}  // namespace

void rethrow_at_step(const Plan& plan, size_t step, const Error& error) {
  if (error.code() != ErrorCode::kDevice && error.code() != ErrorCode::kOutOfMemory) throw;
  const Step& s = plan.steps[step];
  std::string nodes;
  for (const NodeId id : s.nodes) {
    const Node& node = plan.graph.nodes[static_cast<size_t>(id)];
    nodes += fmt::format("\n  {}{}{}", node.op, node.source.empty() ? "" : " at ", node.source);
  }
  throw Error(
      error.code(),
      fmt::format("{}\nin step {} of {}, {}: {} -> {}{}\nA device reports what fails in a "
                  "kernel at a later call: with CUDA_LAUNCH_BLOCKING=1 this step is the one.",
                  error.what(), step + 1, plan.steps.size(), s.name, described(plan.graph, s.reads),
                  described(plan.graph, s.makes), nodes));
}

}  // namespace torchweld
