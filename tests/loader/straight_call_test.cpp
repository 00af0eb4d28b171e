// A method in LibTorch's interpreter, against the answers of the walk.
#include "loader/straight_call.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/archives.h"
#include "torchweld/error.h"

namespace torchweld::testing {
namespace {

TEST(StraightCall, GivesWhatTheMethodGives) {
  const auto module = load_module(archive_path("control_flow/gate_positive"), {});
  const StraightCall call(*module);
  for (int i = 0; i < 3; ++i) {
    const at::Tensor x = at::randn({3, 4}), expected = x.sum().item<float>() > 0 ? x : -x;
    EXPECT_TRUE(at::equal(call({x}).toTensor(), expected));
  }
}

TEST(StraightCall, SaysWhichErrorItIs) {
  const auto module = load_module(archive_path("layers/linear_relu_traced"), {});
  const StraightCall call(*module);
  try {
    call({at::ones({2, 12345})});
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kOperatorFailed) << error.what();
  }
}

}  // namespace
}  // namespace torchweld::testing
