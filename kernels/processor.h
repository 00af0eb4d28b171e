// The processor that this process runs on, where measurements are kept by it or told.
#pragma once

#include <string>

namespace torchweld {

/// As the system calls it; "unknown" where it doesn't.
std::string processor_name();

}  // namespace torchweld
