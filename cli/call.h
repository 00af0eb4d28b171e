// From the program's arguments to an engine and the inputs of a call.
#pragma once

#include <optional>
#include <vector>

#include "cli/commands.h"
#include "torchweld/engine.h"

namespace torchweld::cli {

/// What a command works on.
struct Call {
  Engine engine;
  std::vector<c10::IValue> inputs;
  std::optional<std::vector<at::Tensor>> recorded;  ///< outputs that the inputs file holds
};

/// Loads the archive and makes the inputs; sets the number of threads and the seed.
///
/// Throws  Error: what load throws, kBadText and kBadInput for the inputs.
Call prepared_call(const CallArguments& arguments, Planning planning);

}  // namespace torchweld::cli
