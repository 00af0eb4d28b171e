// The first step that differs, on the virtual GPU, whose work runs when somebody waits for it.
#include <ATen/core/Tensor.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include "tests/support/script_module.h"
#include "tests/virtual_gpu/virtual_runtime.h"

namespace torchweld::testing {
namespace {

TEST(Diverges, WaitsForTheDeviceBeforeItCompares) {
  const ScriptModule module(
      "def forward(self, x):\n  return torch.relu(x @ x + 1), x.flip(0).neg()\n");
  Options options = blocking();
  options.runtime = virtual_gpu::virtual_runtime();
  const auto found = module.load(options).diverges({at::randn({16, 16})});
  EXPECT_FALSE(found) << found->name << " " << found->largest_error;
}

}  // namespace
}  // namespace torchweld::testing
