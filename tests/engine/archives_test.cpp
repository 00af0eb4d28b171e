// Every archive that tests/archives writes, against LibTorch: one test an archive, named after it.
#include "tests/support/archives.h"

#include <gtest/gtest.h>

#include "tests/support/oracle.h"

namespace torchweld::testing {
namespace {

class Archives : public ::testing::TestWithParam<std::string> {};
class Operators : public ::testing::TestWithParam<std::string> {};

TEST_P(Archives, AgreeWithLibTorch) { expect_agrees_with_libtorch(GetParam()); }

TEST_P(Operators, AgreeWithLibTorch) { expect_agrees_with_libtorch(GetParam()); }

std::vector<std::string> all_but_operators() {
  std::vector<std::string> names;
  for (const std::string& name : archive_names()) {
    if (!name.starts_with("operators/")) names.push_back(name);
  }
  return names;
}

std::string test_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, Archives, ::testing::ValuesIn(all_but_operators()), test_name);
INSTANTIATE_TEST_SUITE_P(All, Operators, ::testing::ValuesIn(archive_names("operators")),
                         test_name);

}  // namespace
}  // namespace torchweld::testing
