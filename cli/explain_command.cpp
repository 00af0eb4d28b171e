// torchweld explain: how the call is executed, as text, JSON or a drawing.
#include <fmt/format.h>

#include <fstream>
#include <iostream>
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
  if (!arguments.svg.empty()) write_svg(explanation_dot(explanation), arguments.svg);
  if (arguments.call.json) {
    std::cout << explanation_json(explanation).dump(2) << "\n";
  } else {
    std::cout << explanation_text(explanation, arguments.graph);
  }
  return 0;
}

}  // namespace torchweld::cli
