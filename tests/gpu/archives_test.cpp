// Archives on a CUDA device against LibTorch on the host. Without a device nothing here runs, and
// says so.
#include "tests/support/archives.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "engine/runtime.h"
#include "tests/support/oracle.h"

namespace torchweld::testing {
namespace {

/// Skips everything where there is no device; ctest then shows the executable as skipped.
class NeedsDevice : public ::testing::Environment {
 public:
  void SetUp() override {
    try {
      runtime_for(c10::Device(c10::kCUDA, 0));
    } catch (const std::exception& error) {
      GTEST_SKIP() << "no CUDA device: " << error.what();
    }
  }
};

const auto* const kNeedsDevice = ::testing::AddGlobalTestEnvironment(new NeedsDevice);

class Gpu : public ::testing::TestWithParam<std::string> {};

TEST_P(Gpu, AgreesWithLibTorch) {
  OracleOptions oracle;
  oracle.options.resize(1);
  oracle.options[0].planning = Planning::kBlocking;
  oracle.options[0].device = c10::Device(c10::kCUDA, 0);
  expect_agrees_with_libtorch(GetParam(), oracle);
}

INSTANTIATE_TEST_SUITE_P(All, Gpu, ::testing::ValuesIn(archive_names()), archive_test_name);

}  // namespace
}  // namespace torchweld::testing
