// Turns what LibTorch throws while running an operator into torchweld::Error.
#pragma once

#include <ATen/core/ivalue.h>

#include <exception>
#include <string>
#include <vector>

#include "torchweld/error.h"

namespace torchweld {

/// The Error for an exception that an operator threw: what it is, where, the operands, LibTorch's
/// own first line.
Error operator_error(const std::string& op, const std::string& source,
                     const std::vector<c10::IValue>& operands, const std::exception& cause);

/// The Error for what LibTorch's interpreter threw while it ran a method: the archive's own
/// exception, or that an operator failed; why, and the archive source line.
Error interpreter_error(const std::string& method, const std::exception& cause);

/// Runs `f`; on an exception throws operator_error with the operands that `operands()` gives.
template <class Operands, class F>
void run_reporting(const std::string& op, const std::string& source, const Operands& operands,
                   F&& f) {
  try {
    f();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& cause) {
    throw operator_error(op, source, operands(), cause);
  }
}

}  // namespace torchweld
