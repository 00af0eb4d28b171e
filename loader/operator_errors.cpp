// Messages for failing operators.
#include "loader/operator_errors.h"

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/jit/runtime/jit_exception.h>

#include <algorithm>
#include <new>
#include <string_view>

#include "loader/pattern.h"

namespace torchweld {
namespace {

std::string text_of(const std::exception& cause) {
  const auto* c10_error = dynamic_cast<const c10::Error*>(&cause);
  return c10_error != nullptr ? c10_error->what_without_backtrace() : cause.what();
}

/// Of a report of LibTorch's interpreter the reason, which comes after its traces.
std::string first_line(const std::exception& cause) {
  constexpr std::string_view kReason = "\nRuntimeError: ";
  std::string text = text_of(cause);
  if (const size_t reason = text.rfind(kReason); reason != std::string::npos)
    text.erase(0, reason + kReason.size());
  const size_t end = text.find('\n');
  return end == std::string::npos ? text : text.substr(0, end);
}

bool is_out_of_memory(const std::exception& cause, const std::string& message) {
  return dynamic_cast<const std::bad_alloc*>(&cause) != nullptr ||
         dynamic_cast<const c10::OutOfMemoryError*>(&cause) != nullptr ||
         message.find("can't allocate memory") != std::string::npos ||
         message.find("not enough memory") != std::string::npos;
}

/// Where a report of LibTorch's interpreter says that the innermost call failed,
/// "code/__torch__.py:12"; empty where it says nothing.
std::string place_in_report(const std::exception& cause) {
  constexpr std::string_view kFile = "File \"", kLine = "\", line ";
  std::string text = text_of(cause);
  // The code as it was written comes after that of the archive, and lies elsewhere.
  text.resize(std::min(text.size(), text.find("Traceback of TorchScript, original code")));
  const size_t file = text.rfind(kFile);  // the innermost call's
  if (file == std::string::npos) return "";
  const size_t name = file + kFile.size(), line = text.find(kLine, name);
  if (line == std::string::npos) return "";
  const size_t number = line + kLine.size();
  return fmt::format("{}:{}", text.substr(name, line - name),
                     text.substr(number, text.find(',', number) - number));
}

}  // namespace

Error operator_error(const std::string& op, const std::string& source,
                     const std::vector<c10::IValue>& operands, const std::exception& cause) {
  std::vector<std::string> shown;
  for (const c10::IValue& v : operands)
    for_each_tensor(v, [&](const at::Tensor& t) { shown.push_back(describe(t)); });
  const std::string message = first_line(cause);
  const ErrorCode code =
      is_out_of_memory(cause, message) ? ErrorCode::kOutOfMemory : ErrorCode::kOperatorFailed;
  return Error(code, fmt::format("{}({}){}{}: {}", op, fmt::join(shown, ", "),
                                 source.empty() ? "" : " at ", source, message));
}

Error interpreter_error(const std::string& method, const std::exception& cause) {
  const std::string place = place_in_report(cause);
  const auto* raised = dynamic_cast<const torch::jit::JITException*>(&cause);
  if (raised == nullptr) return operator_error(method, place, {}, cause);
  return Error(ErrorCode::kModelRaised,
               fmt::format("the archive raised an exception{}{}: {}", place.empty() ? "" : " at ",
                           place, raised->getOriginalMsg().value_or(raised->what())));
}

}  // namespace torchweld
