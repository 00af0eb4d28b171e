// Archives against the outputs that their Python models gave when the archives were written.
#pragma once

#include <string>

namespace torchweld::testing {

/// In LibTorch's interpreter: what an archive's operators from this process answer.
void expect_as_recorded(const std::string& archive);

}  // namespace torchweld::testing
