// The ways to run an archive that are timed against each other: ours and LibTorch's three.
#pragma once

#include <string>
#include <vector>

#include "cli/timing.h"
#include "torchweld/engine.h"

namespace torchweld::cli {

/// A contender that could not be made, and why.
struct Unavailable {
  std::string name, reason;
};

/// torchweld; eager (LibTorch's executor without optimisations), torchscript (its default) and
/// frozen (optimize_for_inference). The first call of torchweld plans in the background, as a
/// service would have it.
std::vector<Contender> contenders(const Engine& engine, const std::string& archive,
                                  const std::vector<c10::IValue>& inputs,
                                  std::vector<Unavailable>& unavailable);

/// Median and ratio to the first contender, one line each.
std::string timing_table(const std::vector<Timing>& timings);

}  // namespace torchweld::cli
