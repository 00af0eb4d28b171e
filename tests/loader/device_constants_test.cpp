// Devices that an archive was traced on give way to the engine's.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/script_module.h"

namespace torchweld::testing {
namespace {

TEST(DeviceConstants, OfFactoriesAndCastsAreTheEngines) {
  const ScriptModule module(
      "def forward(self, x):\n"
      "  a = torch.ones([3], device=torch.device('cuda:0'))\n"
      "  b = torch.arange(3, device='cuda').to('cuda:1')\n"
      "  if bool(x.sum() > 0):\n    b = b + torch.zeros([3], device='cuda')\n"
      "  return x + a + b\n");
  const Engine engine = module.load(blocking());
  for (int i = 0; i < 3; ++i) {
    const at::Tensor y = engine.run({at::ones({3})}).toTensor();
    EXPECT_TRUE(y.is_cpu());
    EXPECT_TRUE(at::equal(y, at::arange(3) + 2.0));
  }
}

}  // namespace
}  // namespace torchweld::testing
