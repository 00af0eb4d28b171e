#include "loader/register_operator.h"

#include <torch/csrc/jit/runtime/custom_operator.h>

#include <string>

namespace torchweld {

bool register_if_missing(const char* schema, void (*call)(torch::jit::Stack&)) {
  const std::string text = schema, name = text.substr(0, text.find('('));
  if (!torch::jit::getAllOperatorsFor(c10::Symbol::fromQualString(name)).empty()) return false;
  torch::jit::registerOperator(
      torch::jit::Operator(text, torch::jit::Operation(call), c10::AliasAnalysisKind::FROM_SCHEMA));
  return true;
}

}  // namespace torchweld
