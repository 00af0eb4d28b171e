// Options::precision on a device: how far answers are from float32 products.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/script_module.h"
#include "tests/virtual_gpu/virtual_runtime.h"

namespace torchweld::testing {
namespace {

ScriptModule mlp() {
  at::manual_seed(1);
  return ScriptModule(R"(
def forward(self, x):
    h = torch.relu(torch.addmm(self.b, x, self.w))
    return torch.softmax(torch.mm(h, self.w), -1) + x
)",
                      {{"w", at::randn({256, 256}) / 16}, {"b", at::randn({256})}});
}

Options with(Precision precision) {
  Options options = blocking();
  options.precision = precision;
  options.runtime = virtual_gpu::virtual_runtime();
  return options;
}

double largest_error(const Engine& engine, const ScriptModule& module, const at::Tensor& x) {
  engine.prepare({x});
  const at::Tensor expected = module.run({x}).toTensor();
  const at::Tensor actual = engine.run({x}).toTensor();
  EXPECT_EQ(actual.scalar_type(), at::kFloat);
  return (expected - actual).abs().max().item<double>();
}

TEST(Precision, ProductsAreAsFarOffAsTheirType) {
  virtual_gpu::virtual_runtime();  // tensors made from here on are in its memory
  const ScriptModule module = mlp();
  const at::Tensor x = at::randn({32, 256});
  const double archive = largest_error(module.load(with(Precision::kArchive)), module, x);
  const double tf32 = largest_error(module.load(with(Precision::kTF32)), module, x);
  const double f16 = largest_error(module.load(with(Precision::kFloat16)), module, x);
  const double bf16 = largest_error(module.load(with(Precision::kBFloat16)), module, x);
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
