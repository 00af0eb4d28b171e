// What a call is given, before anything runs on it.
#pragma once

#include <ATen/core/ivalue.h>
#include <c10/core/Device.h>

#include <string>
#include <vector>

#include "loader/archive.h"
#include "torchweld/engine.h"

namespace torchweld {

/// Adds the defaults of arguments left out. Throws Error (kBadInput) on too few or too many.
void complete_inputs(const Module& module, const std::vector<Argument>& arguments,
                     std::vector<c10::IValue>* inputs);

/// Checks and converts what the interpreter may assume of its arguments; plans checked it when they
/// were recorded. Throws Error (kBadInput) that names the argument.
void check_inputs(const Module& module, c10::Device device, std::vector<c10::IValue>* inputs);

/// What messages call the last values of a call: its arguments, where a block has them, and the
/// state.
std::vector<std::string> names_of_values(const Module& module, bool with_arguments);

/// Whether LibTorch would record a graph of gradients.
bool needs_autograd(const std::vector<c10::IValue>& values);

}  // namespace torchweld
