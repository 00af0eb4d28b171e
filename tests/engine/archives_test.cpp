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

INSTANTIATE_TEST_SUITE_P(All, Archives, ::testing::ValuesIn(archive_names_outside("operators")),
                         archive_test_name);
INSTANTIATE_TEST_SUITE_P(All, Operators, ::testing::ValuesIn(archive_names("operators")),
                         archive_test_name);

}  // namespace
}  // namespace torchweld::testing
