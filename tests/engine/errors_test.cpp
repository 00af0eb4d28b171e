// Errors of a call: what they say, and that the engine goes on.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "tests/support/archives.h"
#include "tests/support/script_module.h"
#include "torchweld/torchweld.h"

namespace torchweld::testing {
namespace {

/// The message of the error that a call gives.
std::string refusal(const Engine& engine, const std::vector<c10::IValue>& inputs, ErrorCode code) {
  try {
    engine.run(inputs);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << name_of(error.code()) << ": " << error.what();
    return error.what();
  } catch (const std::exception& other) {
    ADD_FAILURE() << "not an Error: " << other.what();
    return "";
  }
  ADD_FAILURE() << "no error";
  return "";
}

void expect_has(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts)
    EXPECT_NE(text.find(part), std::string::npos) << '"' << part << "\" is not in: " << text;
}

class Errors : public ::testing::TestWithParam<Planning> {
 protected:
  Options options() const {
    Options o;
    o.planning = GetParam();
    return o;
  }

  /// Before and after each error the engine answers.
  static void expect_works(const Engine& engine, const std::vector<c10::IValue>& good) {
    for (int i = 0; i < 2; ++i) EXPECT_NO_THROW(engine.run(good));
  }
};

TEST_P(Errors, WrongCountOfInputs) {
  const Engine engine = ScriptModule("def forward(self, x, y):\n  return x + y\n").load(options());
  const at::Tensor x = at::ones({2});
  expect_works(engine, {x, x});
  expect_has(refusal(engine, {x}, ErrorCode::kBadInput), {"forward", "2", "1"});
  expect_has(refusal(engine, {x, x, x}, ErrorCode::kBadInput), {"forward", "3"});
  expect_has(refusal(engine, {}, ErrorCode::kBadInput), {"forward"});
  expect_works(engine, {x, x});
}

TEST_P(Errors, OffsetsOfBagsThatDontBeginAtTheFirstIndex) {
  const Engine engine =
      ScriptModule(
          "def forward(self, ids, offsets):\n"
          "  return torch.embedding_bag(self.table, ids, offsets, False, 0, False, None)[0] * 2\n",
          {{"table", at::ones({9, 4})}})
          .load(options());
  const at::Tensor ids = at::arange(7), offsets = at::arange(3);
  expect_works(engine, {ids, offsets});
  expect_has(refusal(engine, {ids, offsets.flip(0)}, ErrorCode::kOperatorFailed), {"offsets"});
  expect_works(engine, {ids, offsets});
}

TEST_P(Errors, WrongTypeOfInput) {
  const Engine engine =
      ScriptModule("def forward(self, x, n: int):\n  return x + n\n").load(options());
  expect_works(engine, {at::ones({2}), 1});
  refusal(engine, {at::ones({2}), "text"}, ErrorCode::kBadInput);
  refusal(engine, {3, 1}, ErrorCode::kBadInput);
  refusal(engine, {c10::IValue(), 1}, ErrorCode::kBadInput);
  expect_works(engine, {at::ones({2}), 1});
}

TEST_P(Errors, InputOnAnotherDevice) {
  const Engine engine = ScriptModule("def forward(self, x):\n  return x + 1\n").load(options());
  expect_works(engine, {at::ones({2})});
  expect_has(
      refusal(engine, {at::ones({2}, at::TensorOptions().device(at::kMeta))}, ErrorCode::kBadInput),
      {"meta", "cpu"});
  expect_works(engine, {at::ones({2})});
}

TEST_P(Errors, WhatTheModelRaises) {
  const Engine engine = ScriptModule(
                            "def forward(self, x, n: int):\n"
                            "  assert n <= 3, 'n is too large'\n"
                            "  return x * n\n")
                            .load(options());
  expect_works(engine, {at::ones({2}), 1});
  for (int i = 0; i < 3; ++i) {
    const std::string message = refusal(engine, {at::ones({2}), 9}, ErrorCode::kModelRaised);
    expect_has(message, {"n is too large", ":"});
    EXPECT_EQ(message.find("frame #"), std::string::npos) << message;
  }
  expect_works(engine, {at::ones({2}), 1});
}

TEST_P(Errors, WhatTheModelRaisesOnData) {
  const Engine engine = ScriptModule(
                            "def forward(self, x):\n"
                            "  y = torch.relu(x) * 2\n"
                            "  assert bool(x.sum() <= 3), 'too much'\n"
                            "  return y + 1\n")
                            .load(options());
  for (int i = 0; i < 3; ++i) {
    expect_works(engine, {at::ones({2})});
    expect_has(refusal(engine, {at::ones({5})}, ErrorCode::kModelRaised), {"too much"});
    expect_has(refusal(engine, {at::full({2}, 4.0)}, ErrorCode::kModelRaised), {"too much"});
  }
}

TEST_P(Errors, AnOperatorThatRefusesItsShapes) {
  const Engine engine =
      ScriptModule("def forward(self, x, y):\n  return torch.relu(torch.mm(x, y))\n")
          .load(options());
  expect_works(engine, {at::ones({2, 3}), at::ones({3, 2})});
  for (int i = 0; i < 2; ++i) {
    const std::string message =
        refusal(engine, {at::ones({2, 3}), at::ones({2, 3})}, ErrorCode::kOperatorFailed);
    expect_has(message, {"aten::mm", "[2,3]"});
    EXPECT_EQ(message.find("frame #"), std::string::npos) << message;
  }
  expect_works(engine, {at::ones({2, 3}), at::ones({3, 2})});
}

TEST_P(Errors, AnIndexOutOfRangeInAPlannedBlock) {
  const Engine engine =
      ScriptModule(
          "def forward(self, x, i):\n  return torch.relu(torch.index_select(x, 0, i)) * 2\n")
          .load(options());
  const at::Tensor x = at::randn({4}), good = at::zeros({2}, at::kLong),
                   bad = at::full({2}, 9, at::kLong);
  for (int i = 0; i < 3; ++i) {
    expect_works(engine, {x, good});
    expect_has(refusal(engine, {x, bad}, ErrorCode::kOperatorFailed), {"index_select"});
  }
}

TEST_P(Errors, TooMuchMemory) {
  const Engine engine =
      ScriptModule("def forward(self, x, n: int):\n  return torch.zeros([n, n, n]) + x\n")
          .load(options());
  expect_works(engine, {at::ones({1}), 2});
  refusal(engine, {at::ones({1}), int64_t{1} << 20}, ErrorCode::kOutOfMemory);
  expect_works(engine, {at::ones({1}), 2});
}

INSTANTIATE_TEST_SUITE_P(Plannings, Errors,
                         ::testing::Values(Planning::kBlocking, Planning::kOff,
                                           Planning::kBackground),
                         [](const auto& info) {
                           return info.param == Planning::kBlocking ? "Blocking"
                                  : info.param == Planning::kOff    ? "Off"
                                                                    : "Background";
                         });

TEST(Autograd, InputsThatNeedGradientsAreLibTorchs) {
  const ScriptModule module("def forward(self, x):\n  return torch.tanh(x * 2) * self.w\n",
                            {{"w", at::ones({3})}});
  const Engine engine = module.load(blocking());
  engine.run({at::ones({3})});
  for (int i = 0; i < 2; ++i) {
    const at::AutoGradMode grad(true);
    at::Tensor x = at::ones({3}).requires_grad_(true);
    const at::Tensor y = engine.run({x}).toTensor();
    ASSERT_TRUE(y.requires_grad());
    y.sum().backward();
    EXPECT_TRUE(at::allclose(x.grad(), 2 * (1 - at::tanh(x.detach() * 2).pow(2))));
  }
  const at::AutoGradMode no_grad(false);
  EXPECT_FALSE(engine.run({at::ones({3}).requires_grad_(true)}).toTensor().requires_grad());
}

TEST(Autograd, AMethodThatLibTorchRunsWholeBuildsNoGraphOfItsParameters) {
  const Engine engine = load(archive_path("unusual/interface_chosen_by_data"), blocking());
  const at::AutoGradMode grad(true);
  EXPECT_FALSE(engine.run({at::ones({2, 3})}).toTensor().requires_grad());
  EXPECT_TRUE(engine.run({at::ones({2, 3}).requires_grad_(true)}).toTensor().requires_grad());
}

TEST(Errors, OfAMethodThatLibTorchRunsWholeSayWhyAndWhere) {
  const Engine engine = load(archive_path("unusual/interface_chosen_by_data"), blocking());
  expect_has(refusal(engine, {at::ones({2, 4})}, ErrorCode::kOperatorFailed),
             {"forward", "code/__torch__", "must match the size"});
}

TEST(Autograd, WhatTheModelRaisesIsStillTheModels) {
  const Engine engine =
      ScriptModule("def forward(self, x):\n  assert x.size(0) <= 3, 'too long'\n  return x * 2\n")
          .load(blocking());
  const at::AutoGradMode grad(true);
  expect_has(refusal(engine, {at::ones({5}).requires_grad_(true)}, ErrorCode::kModelRaised),
             {"too long"});
}

TEST(Autograd, StateIsTheSessionsAllTheSame) {
  const ScriptModule module(
      "def forward(self, x):\n  self.total = self.total + x.detach()\n  return self.total * x\n",
      {{"total", at::zeros({1})}});
  const Engine engine = module.load(blocking());
  Session session = engine.session(), other = engine.session();
  for (int i = 1; i <= 4; ++i) {
    const at::AutoGradMode grad(true);
    const at::Tensor x = at::ones({1}).requires_grad_(i % 2 == 0);
    EXPECT_EQ(session.run({x}).toTensor().item<float>(), i);
  }
  EXPECT_EQ(other.run({at::ones({1})}).toTensor().item<float>(), 1);
}

}  // namespace
}  // namespace torchweld::testing
