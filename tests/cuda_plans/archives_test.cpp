// Archives on the CUDA path: the production planner, NVRTC's code, the engine's own launches, on
// the virtual GPU, against LibTorch. One test an archive.
#include "tests/support/archives.h"

#include <gtest/gtest.h>

#include "tests/support/oracle.h"
#include "tests/virtual_gpu/virtual_runtime.h"

namespace torchweld::testing {
namespace {

class VirtualGpu : public ::testing::TestWithParam<std::string> {};

TEST_P(VirtualGpu, AgreesWithLibTorch) {
  OracleOptions oracle;
  oracle.options.resize(1);
  oracle.options[0].planning = Planning::kBlocking;
  // Not the user's own kernels: the build's, so that a second run is quick.
  oracle.options[0].runtime = virtual_gpu::virtual_runtime({.folder = TORCHWELD_KERNEL_CACHE});
  oracle.runs = 2;
  expect_agrees_with_libtorch(GetParam(), oracle);
}

INSTANTIATE_TEST_SUITE_P(All, VirtualGpu, ::testing::ValuesIn(archive_names()), archive_test_name);

}  // namespace
}  // namespace torchweld::testing
