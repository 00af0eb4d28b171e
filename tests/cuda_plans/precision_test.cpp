// Options::precision on a device: how far answers are from float32 products.
#include "tests/support/precision.h"

#include <gtest/gtest.h>

#include "tests/virtual_gpu/virtual_runtime.h"

namespace torchweld::testing {
namespace {

Options on_device(Precision precision) {
  Options options = with(precision);
  options.runtime = virtual_gpu::virtual_runtime();
  return options;
}

TEST(Precision, ProductsAreAsFarOffAsTheirType) {
  virtual_gpu::virtual_runtime();  // tensors made from here on are in its memory
  const ScriptModule module = mlp();
  const at::Tensor x = at::randn({32, 256});
  const double archive = largest_error(module.load(on_device(Precision::kArchive)), module, x);
  const double tf32 = largest_error(module.load(on_device(Precision::kTF32)), module, x);
  const double f16 = largest_error(module.load(on_device(Precision::kFloat16)), module, x);
  const double bf16 = largest_error(module.load(on_device(Precision::kBFloat16)), module, x);
  EXPECT_LT(archive, 2e-6);
  EXPECT_GT(tf32, 4 * archive);
  EXPECT_LT(tf32, 1e-3);
  EXPECT_GT(f16, 4 * archive);
  EXPECT_LT(f16, 1e-3);
  EXPECT_GT(bf16, 3 * f16) << "three bits of mantissa less";
  EXPECT_LT(bf16, 2e-2);
}

}  // namespace
}  // namespace torchweld::testing
