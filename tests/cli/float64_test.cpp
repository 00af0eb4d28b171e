// LibTorch in float64 as the judge: what rounding explains and what it doesn't.
#include "cli/float64.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "cli/inputs_file.h"
#include "tests/support/archives.h"

namespace torchweld::cli {
namespace {

/// An archive with recorded inputs, and LibTorch's answer to them.
class Judged {
 public:
  explicit Judged(const std::string& name, Precision precision = Precision::kArchive) {
    const std::string path = testing::archive_path(name);
    arguments_.archive = path;
    arguments_.inputs_file = path.substr(0, path.rfind(".pt")) + ".inputs.pt";
    arguments_.precision = precision;
    call_.emplace(prepared_call(arguments_, Planning::kOff));
    answer = LibTorchModule(arguments_.archive).run_eager(copied(call_->inputs)).toTensor();
  }

  Distances judge(const c10::IValue& ours) const {
    return *Float64Judge(arguments_, *call_).judge(0, answer, ours);
  }

  at::Tensor answer;

 private:
  CallArguments arguments_;
  std::optional<Call> call_;
};

TEST(Float64, ADistanceLikeLibTorchsIsNoFarther) {
  const Judged halves("dtypes/bfloat16_mlp");
  const Distances same = halves.judge(halves.answer);
  EXPECT_TRUE(same.no_farther);
  EXPECT_TRUE(same.in_halves);
  EXPECT_GT(same.libtorch, 1e-4) << "bfloat16 rounds";
  EXPECT_EQ(same.libtorch, same.torchweld);
  const Distances far = halves.judge(halves.answer * 1.1);
  EXPECT_FALSE(far.no_farther);
  EXPECT_GT(far.torchweld, far.libtorch);
}

TEST(Float64, NotANumberAndInfinityAreInfinitelyFar) {
  const Judged halves("dtypes/bfloat16_mlp");
  for (const double wrong : {std::nan(""), HUGE_VAL}) {
    at::Tensor ours = halves.answer.clone();
    ours.view({-1})[0] = wrong;
    const Distances found = halves.judge(ours);
    EXPECT_FALSE(found.no_farther) << wrong;
    EXPECT_EQ(found.torchweld, HUGE_VAL) << wrong;
  }
}

TEST(Float64, OtherShapesAndOtherKindsAreNotRounding) {
  const Judged floats("layers/mlp_1000_1000_100");
  const auto judged = [&floats](const c10::IValue& ours) { return floats.judge(ours).no_farther; };
  EXPECT_TRUE(judged(floats.answer));
  EXPECT_FALSE(floats.judge(floats.answer + 1e-3).in_halves);
  EXPECT_FALSE(judged(floats.answer + 1e-3));
  EXPECT_FALSE(judged(floats.answer.to(at::kDouble)));
  EXPECT_FALSE(judged(c10::List<at::Tensor>({floats.answer})));
}

TEST(Float64, NarrowedProductsAreMeasuredByLibTorchInTheirType) {
  const Judged floats("layers/mlp_1000_1000_100", Precision::kBFloat16);
  const Distances rounded = floats.judge(floats.answer.to(at::kBFloat16).to(at::kFloat));
  EXPECT_TRUE(rounded.no_farther);
  EXPECT_TRUE(rounded.in_halves);
  ASSERT_TRUE(rounded.narrowed_libtorch);
  EXPECT_GT(*rounded.narrowed_libtorch, 100 * rounded.libtorch);
  EXPECT_FALSE(floats.judge(floats.answer + 1).no_farther);
}

}  // namespace
}  // namespace torchweld::cli
