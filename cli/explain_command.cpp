// torchweld explain: how the call is executed, as text, JSON or a drawing.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/call.h"
#include "cli/commands.h"
#include "cli/explanation_text.h"
#include "cli/progress.h"

namespace torchweld::cli {
namespace {

Explanation explained(const ExplainArguments& arguments) {
  const Call call = prepared_call(arguments.call, Planning::kBlocking);
  const Progress progress("planning and measuring");
  return call.engine.explain(call.inputs);
}

void write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) throw Error(ErrorCode::kFile, fmt::format("can't write {}", path.string()));
}

/// A step's name without the colons of an operator's.
std::string file_name(std::string step) {
  const size_t colons = step.find("::");
  if (colons != std::string::npos) step.replace(colons, 2, "_");
  return step;
}

/// NAME.cu and NAME.ptx of every kernel, the headers that they include, and a table of what they
/// take.
void write_kernels(const Explanation& explanation, const std::string& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed)
    throw Error(ErrorCode::kFile, fmt::format("can't make {}: {}", folder, failed.message()));
  std::string table = "kernel\tregisters\tshared_bytes\tlocal_bytes\tspill_bytes\n";
  std::map<std::string, std::string> written;  // sources by file name
  for (const ExplainedBlock& block : explanation.blocks) {
    for (const ExplainedStep& step : block.steps) {
      const ExplainedCode& code = step.code;
      if (code.source.empty()) continue;
      const std::string base = file_name(step.name);
      std::string name = base;
      for (int k = 2; written.contains(name) && written[name] != code.source; ++k)
        name = fmt::format("{}_{}", base, k);
      if (!written.try_emplace(name, code.source).second) continue;
      write_file(std::filesystem::path(folder) / (name + ".cu"), code.source);
      write_file(std::filesystem::path(folder) / (name + ".ptx"), code.assembly);
      table += fmt::format("{}\t{}\t{}\t{}\t{}\n", name, code.registers, code.shared_bytes,
                           code.local_bytes, code.spill_bytes);
    }
  }
  if (written.empty())
    throw Error(
        ErrorCode::kBadInput,
        "the plan has no CUDA kernels: " +
            (explanation.device == "cpu"
                 ? "it is for " + explanation.backend + "; --device cuda or virtual plans for CUDA"
                 : std::string("all of its steps are LibTorch's or a library's")));
  for (const auto& [name, text] : explanation.headers)
    write_file(std::filesystem::path(folder) / name, text);
  write_file(std::filesystem::path(folder) / "resources.tsv", table);
}

}  // namespace

int explain_command(const ExplainArguments& arguments) {
  const Explanation explanation = explained(arguments);
  if (!arguments.dot.empty()) {
    std::ofstream file(arguments.dot);
    file << explanation_dot(explanation);
    file.close();
    if (!file)
      throw Error(ErrorCode::kFile, fmt::format("can't write the drawing to {}", arguments.dot));
  }
  if (!arguments.kernels.empty()) write_kernels(explanation, arguments.kernels);
  if (!arguments.svg.empty()) write_svg(explanation_dot(explanation), arguments.svg);
  if (arguments.call.json) {
    std::cout << explanation_json(explanation).dump(2) << "\n";
  } else {
    std::cout << explanation_text(explanation, arguments.graph);
  }
  return 0;
}

}  // namespace torchweld::cli
