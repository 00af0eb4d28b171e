#include "cli/explanation_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

namespace torchweld::cli {
namespace {

std::string bytes_text(int64_t bytes) {
  if (bytes < 10'000) return fmt::format("{} B", bytes);
  if (bytes < 10'000'000) return fmt::format("{:.1f} kB", static_cast<double>(bytes) / 1e3);
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

std::string coverage_line(const char* kind, const Coverage& part, const Coverage& all) {
  const double nodes = all.nodes ? 100.0 * part.nodes / all.nodes : 0,
               time = all.us > 0 ? 100 * part.us / all.us : 0;
  return fmt::format("  {:<8} {:>5} nodes ({:3.0f} %)  {:>10.2f} us ({:3.0f} %)\n", kind,
                     part.nodes, nodes, part.us, time);
}

std::string indented(const std::string& text, const std::string& indent) {
  std::string result;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    result += indent + text.substr(begin, end - begin) + "\n";
    begin = end + 1;
  }
  return result;
}

void append_step(std::string& text, size_t index, const ExplainedStep& step) {
  text += fmt::format("  {:>3} {:<8} {:>9.2f} us  {}  ({}) -> ({})\n", index, name_of(step.kind),
                      step.median_us, step.name, fmt::join(step.inputs, ", "),
                      fmt::join(step.outputs, ", "));
  if (!step.reason.empty()) text += fmt::format("      why: {}\n", step.reason);
  for (const ExplainedNode& node : step.nodes) {
    text += fmt::format("      {:<28}{}\n", node.op, node.source.empty() ? "" : "  " + node.source);
  }
}

void append_kernels(std::string& text, const ExplainedBlock& block) {
  std::set<std::string> seen;
  for (const ExplainedStep& step : block.steps) {
    if (step.kernel.empty() || !seen.insert(step.kernel).second) continue;
    text += fmt::format("  kernel {}\n{}", step.name, indented(step.kernel, "    "));
  }
}

void append_measured(std::string& text, const ExplainedBlock& block) {
  if (block.measured.empty()) return;
  text += "  measured, best times: here, by LibTorch's own steps, ratio\n";
  for (const ExplainedStretch& s : block.measured) {
    text += fmt::format("      {:>9.2f} us {:>9.2f} us {:>8.2f}x  {}{}\n", s.planned_us, s.eager_us,
                        s.planned_us > 0 ? s.eager_us / s.planned_us : 0, s.name,
                        s.for_rounding  ? ", left to LibTorch for its rounding"
                        : s.stays_eager ? ", left to LibTorch"
                                        : "");
  }
}

void append_block(std::string& text, size_t index, const ExplainedBlock& block, bool with_graph) {
  text += fmt::format("\nblock {}: {}; {}\n", index, block.title, block.ending);
  if (!block.reason.empty()) text += fmt::format("  interpreted: {}\n", block.reason);
  text += fmt::format("  inputs   {}\n  outputs  {}\n", fmt::join(block.inputs, ", "),
                      fmt::join(block.outputs, ", "));
  text += fmt::format(
      "  memory   {} for intermediates (at most {} alive at once, {} without reuse), constants "
      "{}\n",
      bytes_text(block.arena_bytes), bytes_text(block.live_bytes),
      bytes_text(block.unplanned_bytes), bytes_text(block.constant_bytes));
  text += fmt::format("  steps    {} for {} recorded nodes\n", block.steps.size(),
                      block.recorded_nodes);
  for (size_t i = 0; i < block.steps.size(); ++i) append_step(text, i, block.steps[i]);
  append_measured(text, block);
  append_kernels(text, block);
  if (with_graph) text += "  graph\n" + indented(block.graph, "    ");
}

}  // namespace

std::string explanation_text(const Explanation& explanation, bool with_graph) {
  const Coverage all{explanation.fused.nodes + explanation.library.nodes + explanation.eager.nodes,
                     explanation.fused.us + explanation.library.us + explanation.eager.us};
  std::string text = fmt::format("{} {} on {}, {}\n", explanation.archive, explanation.method,
                                 explanation.device, explanation.backend);
  text += coverage_line("fused", explanation.fused, all);
  text += coverage_line("library", explanation.library, all);
  text += coverage_line("eager", explanation.eager, all);
  text += fmt::format("  precision: {}\n", explanation.precision);
  for (const std::string& read : explanation.host_reads)
    text += fmt::format("  host read: {}\n", read);
  for (size_t i = 0; i < explanation.blocks.size(); ++i)
    append_block(text, i, explanation.blocks[i], with_graph);
  return text;
}

}  // namespace torchweld::cli
