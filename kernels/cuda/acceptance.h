// What the CUDA back end can express.
#pragma once

#include <string>

#include "kernels/spec.h"

namespace torchweld::cuda {

/// Whether the skeletons take the spec; if not, `why` says the reason in a user's words.
bool is_accepted(const KernelSpec& spec, std::string* why);

}  // namespace torchweld::cuda
