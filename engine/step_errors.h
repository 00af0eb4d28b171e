// What a failure of the device says of the step at which it came to light.
#pragma once

#include "fusion/plan.h"
#include "torchweld/error.h"

namespace torchweld {

/// For the handler of `error`, which is thrown again: of the device or its memory, with the step,
/// its kernel and its operands' shapes; any other as it is.
[[noreturn]] void rethrow_at_step(const Plan& plan, size_t step, const Error& error);

}  // namespace torchweld
