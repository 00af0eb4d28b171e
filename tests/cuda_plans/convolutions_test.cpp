// Convolutions on the CUDA path: which steps they become, and that their answers are LibTorch's.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "tests/support/script_module.h"
#include "tests/virtual_gpu/virtual_runtime.h"

namespace torchweld::testing {
namespace {

Options on_device(Numerics numerics = Numerics::kDefault) {
  Options options = blocking();
  options.runtime = virtual_gpu::virtual_runtime();
  options.numerics = numerics;
  return options;
}

/// Two blocks of a residual network and what makes numbers of its image.
ScriptModule residual(at::ScalarType type) {
  at::manual_seed(5);
  const auto weights = [&](int64_t out, int64_t in, int64_t size) {
    return (at::randn({out, in, size, size}) / std::sqrt(static_cast<double>(in * size * size)))
        .to(type);
  };
  return ScriptModule(R"(
def forward(self, x):
    x = torch.relu(torch.conv2d(x, self.stem, self.b, [2, 2], [1, 1]))
    for _ in range(2):
        y = torch.relu(torch.batch_norm(torch.conv2d(x, self.w, None, [1, 1], [1, 1]), self.g, self.b, self.b, self.v, False, 0.1, 1e-5, True))
        y = torch.conv2d(y, self.w, self.b, [1, 1], [1, 1])
        x = torch.relu(y + x)
    return torch.mean(x, [2, 3]), x
)",
                      {{"stem", weights(16, 3, 3)},
                       {"w", weights(16, 16, 3)},
                       {"g", (at::rand({16}) + 0.5).to(type)},
                       {"b", at::randn({16}).to(type)},
                       {"v", (at::rand({16}) + 0.5).to(type)}});
}

int count(const Explanation& how, const std::string& name) {
  int found = 0;
  for (const ExplainedBlock& block : how.blocks) {
    for (const ExplainedStep& step : block.steps) found += step.name == name ? 1 : 0;
  }
  return found;
}

/// The largest distance of a result from LibTorch's, relative to the largest number.
double distance(const Engine& engine, const ScriptModule& module, const at::Tensor& x) {
  engine.prepare({x});
  const auto want = module.run({x}).toTupleRef().elements();
  const auto got = engine.run({x}).toTupleRef().elements();
  double most = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const at::Tensor a = want[i].toTensor(), b = got[i].toTensor();
    EXPECT_EQ(a.sizes(), b.sizes());
    EXPECT_EQ(a.strides(), b.strides());
    const double size = a.abs().max().item<double>();
    most =
        std::max(most, (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>() / size);
  }
  return most;
}

TEST(Convolutions, FloatsTakeBatchNormSumAndRelu) {
  virtual_gpu::virtual_runtime();  // tensors made from here on are in its memory
  const ScriptModule module = residual(at::kFloat);
  const Engine engine = module.load(on_device());
  const at::Tensor x = at::randn({2, 3, 12, 12});
  EXPECT_LT(distance(engine, module, x), 1e-5);
  const Explanation how = engine.explain({x});
  EXPECT_EQ(count(how, "aten::cudnn_convolution_relu"), 3);
  EXPECT_EQ(count(how, "aten::cudnn_convolution_add_relu"), 2);
  EXPECT_EQ(count(how, "aten::batch_norm"), 0);
}

TEST(Convolutions, HalvesTakeReluAndRoundTheirSums) {
  virtual_gpu::virtual_runtime();
  const ScriptModule module = residual(at::kHalf);
  const Engine engine = module.load(on_device());
  const at::Tensor x = at::randn({2, 3, 12, 12}).to(at::kHalf);
  EXPECT_LT(distance(engine, module, x), 4e-3);
  const Explanation how = engine.explain({x});
  EXPECT_EQ(count(how, "aten::cudnn_convolution_relu"), 1);
  EXPECT_EQ(count(how, "aten::cudnn_convolution_add_relu"), 0);
  EXPECT_EQ(count(how, "aten::batch_norm"), 0);
}

TEST(Convolutions, ExactNumericsKeepLibTorchsOperators) {
  virtual_gpu::virtual_runtime();
  const ScriptModule module = residual(at::kFloat);
  const Engine engine = module.load(on_device(Numerics::kExact));
  const at::Tensor x = at::randn({2, 3, 12, 12});
  EXPECT_LT(distance(engine, module, x), 1e-6);
  const Explanation how = engine.explain({x});
  EXPECT_EQ(count(how, "aten::cudnn_convolution_relu"), 0);
  EXPECT_EQ(count(how, "aten::cudnn_convolution_add_relu"), 0);
}

/// Channels-last images stay so where they leave, and in the caller's layout come back.
TEST(Convolutions, ImagesOfTheCallerInEitherLayout) {
  virtual_gpu::virtual_runtime();
  const ScriptModule module = residual(at::kFloat);
  const Engine engine = module.load(on_device());
  const at::Tensor x = at::randn({2, 3, 12, 12}).contiguous(at::MemoryFormat::ChannelsLast);
  EXPECT_LT(distance(engine, module, x), 1e-5);
}

/// What the host twin makes of NaN is ATen's; what cuDNN makes of it is in docs/numerics.md.
TEST(Convolutions, TheTwinKeepsNaN) {
  virtual_gpu::virtual_runtime();
  const ScriptModule module = residual(at::kFloat);
  const Engine engine = module.load(on_device());
  at::Tensor x = at::randn({1, 3, 12, 12});
  x[0][1][4][4] = std::numeric_limits<float>::quiet_NaN();
  engine.prepare({x});
  const at::Tensor want = module.run({x}).toTupleRef().elements()[1].toTensor();
  const at::Tensor got = engine.run({x}).toTupleRef().elements()[1].toTensor();
  EXPECT_GT(want.isnan().sum().item<int64_t>(), 0);
  EXPECT_TRUE(at::equal(want.isnan(), got.isnan()));
}

}  // namespace
}  // namespace torchweld::testing
