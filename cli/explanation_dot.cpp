#include <fmt/format.h>
#include <graphviz/gvc.h>

#include <fstream>
#include <memory>

#include "cli/explanation_text.h"
#include "torchweld/error.h"

namespace torchweld::cli {
namespace {

const char* colour_of(StepKind kind) {
  switch (kind) {
    case StepKind::kFused:
      return "#b7e1cd";
    case StepKind::kLibrary:
      return "#c9daf8";
    case StepKind::kEager:
      return "#fce8b2";
  }
  return "white";
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

/// Left-aligned lines: \l ends each in Graphviz.
std::string label_of(size_t index, const ExplainedStep& step) {
  constexpr size_t kShownNodes = 12;
  std::string label = fmt::format("{} {}  {:.1f} us\n", index, step.name, step.median_us);
  for (size_t i = 0; i < step.nodes.size() && i < kShownNodes; ++i)
    label += step.nodes[i].op + "\n";
  if (step.nodes.size() > kShownNodes)
    label += fmt::format("and {} more\n", step.nodes.size() - kShownNodes);
  if (!step.reason.empty()) label += step.reason + "\n";
  std::string text = quoted(label);
  for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2)
    text.replace(at, 1, "\\l");
  return text;
}

void append_block(std::string& dot, size_t b, const ExplainedBlock& block) {
  dot += fmt::format("  subgraph cluster_{} {{\n    label={};\n", b,
                     quoted(block.title + "; " + block.ending));
  // A block of no steps still has to be seen.
  dot += fmt::format("    b{}_begin [shape=point];\n", b);
  for (size_t s = 0; s < block.steps.size(); ++s) {
    dot += fmt::format("    b{}_s{} [label={}, fillcolor=\"{}\"];\n", b, s,
                       label_of(s, block.steps[s]), colour_of(block.steps[s].kind));
    if (block.steps[s].depends_on.empty())
      dot += fmt::format("    b{}_begin -> b{}_s{};\n", b, b, s);
    for (const int earlier : block.steps[s].depends_on)
      dot += fmt::format("    b{}_s{} -> b{}_s{};\n", b, earlier, b, s);
  }
  dot += "  }\n";
}

}  // namespace

std::string explanation_dot(const Explanation& explanation) {
  std::string dot =
      "digraph torchweld {\n  node [shape=box, style=filled, fontname=monospace, fontsize=10];\n";
  dot += fmt::format("  label={}; labelloc=t;\n",
                     quoted(explanation.archive + " " + explanation.method));
  for (size_t b = 0; b < explanation.blocks.size(); ++b)
    append_block(dot, b, explanation.blocks[b]);
  return dot + "}\n";
}

void write_svg(const std::string& dot, const std::string& path) {
  const std::unique_ptr<GVC_t, int (*)(GVC_t*)> context(gvContext(), gvFreeContext);
  const std::unique_ptr<Agraph_t, int (*)(Agraph_t*)> graph(agmemread(dot.c_str()), agclose);
  if (!graph || gvLayout(context.get(), graph.get(), "dot") != 0) {
    throw Error(ErrorCode::kInternal,
                "Graphviz can't lay out the drawing; --dot FILE writes its text");
  }
  char* svg = nullptr;
  unsigned length = 0;
  const int failed = gvRenderData(context.get(), graph.get(), "svg", &svg, &length);
  std::ofstream file(path);
  if (!failed) file.write(svg, length);
  gvFreeRenderData(svg);
  gvFreeLayout(context.get(), graph.get());
  if (failed) throw Error(ErrorCode::kInternal, "Graphviz can't draw; --dot FILE writes its text");
  file.close();
  if (!file) throw Error(ErrorCode::kFile, fmt::format("can't write the drawing to {}", path));
}

}  // namespace torchweld::cli
