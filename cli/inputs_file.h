// Inputs written by torch.save, for --inputs and for the tests.
#pragma once

#include <ATen/core/ivalue.h>

#include <optional>
#include <string>
#include <vector>

#include "torchweld/engine.h"

namespace torchweld::cli {

/// What a file of inputs holds.
struct InputsFile {
  std::vector<c10::IValue> inputs;
  /// The tensors of the answer, depth first, as they were recorded; nullopt if the file has none.
  std::optional<std::vector<at::Tensor>> outputs;
};

/// Reads a tuple of inputs, or a dict with `inputs` and perhaps `outputs`.
///
/// Throws  Error: kFile when the file can't be read, kBadInput when it holds something else.
InputsFile read_inputs_file(const std::string& path);

/// torch.save forgets element types of lists and dicts; gives them those that the arguments
/// declare.
///
/// A value that doesn't fit is left as it is: the call itself says best what is wrong with it.
std::vector<c10::IValue> coerced(std::vector<c10::IValue> inputs,
                                 const std::vector<Argument>& arguments);

/// The tensors of a value, depth first.
std::vector<at::Tensor> tensors_in(const c10::IValue& value);

}  // namespace torchweld::cli
