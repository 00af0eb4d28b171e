// Plans for devices whose code generator takes rows and gathers, executed by the scalar reference
// evaluator: every archive against LibTorch, one test an archive.
#include <gtest/gtest.h>

#include "tests/support/archives.h"
#include "tests/support/oracle.h"
#include "tests/support/reference_runtime.h"

namespace torchweld::testing {
namespace {

class Rows : public ::testing::TestWithParam<std::string> {};

TEST_P(Rows, AgreeWithLibTorch) {
  OracleOptions oracle;
  oracle.options.resize(1);
  oracle.options[0].planning = Planning::kBlocking;
  oracle.options[0].runtime = reference_runtime();
  oracle.runs = 2;
  expect_agrees_with_libtorch(GetParam(), oracle);
}

/// The larger images and the single operators are run on the virtual GPU, which is faster.
std::vector<std::string> names() {
  std::vector<std::string> all = archive_names();
  std::erase_if(all, [](const std::string& name) {
    return name.starts_with("operators/") || name.starts_with("vision/");
  });
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, Rows, ::testing::ValuesIn(names()), archive_test_name);

}  // namespace
}  // namespace torchweld::testing
