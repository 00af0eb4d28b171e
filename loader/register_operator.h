// How operators of other libraries, which archives ask for, come into TorchScript's table.
//
// Not into the dispatcher: there, the library itself would find its names taken when it is loaded
// later, and end the process.
#pragma once

#include <ATen/core/stack.h>

namespace torchweld {

/// Unless an operator of the schema's name is there, whoever brought it: then false.
bool register_if_missing(const char* schema, void (*call)(torch::jit::Stack&));

}  // namespace torchweld
