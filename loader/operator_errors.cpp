// Messages for failing operators.
#include "loader/operator_errors.h"

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <new>

#include "loader/pattern.h"

namespace torchweld {
namespace {

std::string first_line(const std::exception& cause) {
  const auto* c10_error = dynamic_cast<const c10::Error*>(&cause);
  std::string text = c10_error != nullptr ? c10_error->what_without_backtrace() : cause.what();
  const size_t end = text.find('\n');
  return end == std::string::npos ? text : text.substr(0, end);
}

bool is_out_of_memory(const std::exception& cause, const std::string& message) {
  return dynamic_cast<const std::bad_alloc*>(&cause) != nullptr ||
         dynamic_cast<const c10::OutOfMemoryError*>(&cause) != nullptr ||
         message.find("can't allocate memory") != std::string::npos ||
         message.find("not enough memory") != std::string::npos;
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

}  // namespace torchweld
