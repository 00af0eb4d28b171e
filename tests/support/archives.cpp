#include "tests/support/archives.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace torchweld::testing {
namespace {

std::filesystem::path folder() {
  const char* elsewhere = std::getenv("TORCHWELD_ARCHIVES");
  return elsewhere ? elsewhere : TORCHWELD_ARCHIVES;
}

constexpr std::string_view kInputs = ".inputs.pt";

}  // namespace

std::vector<std::string> archive_names(const std::string& group) {
  std::vector<std::string> names;
  if (!std::filesystem::exists(folder())) return names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder())) {
    const std::string name = std::filesystem::relative(entry.path(), folder()).string();
    if (!name.ends_with(kInputs)) continue;
    if (!group.empty() && !name.starts_with(group + "/")) continue;
    names.push_back(name.substr(0, name.size() - kInputs.size()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> archive_names_outside(const std::string& group) {
  std::vector<std::string> names = archive_names();
  std::erase_if(names, [&](const std::string& name) { return name.starts_with(group + "/"); });
  return names;
}

std::string archive_path(const std::string& name) { return (folder() / (name + ".pt")).string(); }

cli::InputsFile archive_inputs(const std::string& name) {
  return cli::read_inputs_file((folder() / (name + std::string(kInputs))).string());
}

std::string archive_test_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
}

}  // namespace torchweld::testing
