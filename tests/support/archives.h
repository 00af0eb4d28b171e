// The archives that tests/archives writes while building.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cli/inputs_file.h"

namespace torchweld::testing {

/// "GROUP/NAME" of every archive that comes with inputs, sorted; of one group if it is given.
std::vector<std::string> archive_names(const std::string& group = "");

/// Those of all groups but one.
std::vector<std::string> archive_names_outside(const std::string& group);

/// The file of "GROUP/NAME".
std::string archive_path(const std::string& name);

/// The inputs of "GROUP/NAME", and the original model's outputs, as they were saved.
cli::InputsFile archive_inputs(const std::string& name);

/// The name as GoogleTest takes it, for tests of one archive each.
std::string archive_test_name(const ::testing::TestParamInfo<std::string>& info);

}  // namespace torchweld::testing
