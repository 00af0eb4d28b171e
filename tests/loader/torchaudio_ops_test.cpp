// Our lfilter against numbers that torchaudio 2.11 gave, and against the operator in Python.
#include "loader/torchaudio_ops.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include "cli/compare.h"
#include "loader/op_traits.h"
#include "tests/support/operator_call.h"
#include "tests/support/recorded.h"

namespace torchweld::testing {
namespace {

at::Tensor of(std::vector<float> numbers, at::IntArrayRef sizes) {
  return at::tensor(numbers).view(sizes);
}

const at::Tensor& waveform() {
  static const at::Tensor x = of({1, 0, 0, -2, 3, .5f, 0, 1, 0, 1, 2, 3, 4, 5, 6, 7}, {1, 2, 8});
  return x;
}

TEST(TorchaudioOps, TheLoopGivesTorchaudiosNumbers) {
  register_torchaudio_operators();
  const at::Tensor a = of({.7f, -1.5f, 1, .125f, .25f, 1}, {2, 3}), out = at::zeros({1, 2, 10});
  const auto results = call_operator("torchaudio::_lfilter_core_loop", {waveform(), a, out});
  const at::Tensor want = of({0,
                              0,
                              1,
                              1.5f,
                              1.549999952f,
                              -0.725000143f,
                              0.827499866f,
                              2.248749971f,
                              2.793875217f,
                              3.616688251f,
                              0,
                              0,
                              0,
                              1,
                              1.75f,
                              2.4375f,
                              3.171875f,
                              3.90234375f,
                              4.627929688f,
                              5.355224609f},
                             {1, 2, 10});
  EXPECT_TRUE(at::equal(out, want)) << out;
  EXPECT_TRUE(results.at(0).is_same(out));
}

TEST(TorchaudioOps, AnOlderArchivesFilterGivesTorchaudiosNumbers) {
  register_torchaudio_operators();
  const at::Tensor a = of({1, -1.5f, .7f, 2, .5f, .25f}, {2, 3});
  const at::Tensor b = of({.5f, .25f, 1, 1, 0, -1}, {2, 3});
  const at::Tensor got = call_operator("torchaudio::_lfilter", {waveform(), a, b})[0];
  const at::Tensor want =
      of({.5f, 1, 2.150000095f, 1.525000095f, 1.782500148f, 0.606250048f, 2.786624908f,
          4.755562305f, 0, .5f, .875f, .71875f, .7109375f, .732421875f, .728027344f, .72644043f},
         {1, 2, 8});
  const cli::Comparison comparison = cli::compare(want, got);
  EXPECT_FALSE(comparison.mismatch) << *comparison.mismatch;
}

TEST(TorchaudioOps, RecordedFiltersAgree) { expect_as_recorded("audio/biquads"); }
TEST(TorchaudioOps, RecordedOverdriveAgrees) { expect_as_recorded("audio/overdrive"); }

TEST(TorchaudioOps, OverdriveGoesOnFromItsStates) {
  register_torchaudio_operators();
  const at::Tensor x = of({1, -1, .5f, 0, 2, 4}, {2, 3}), last_in = of({.5f, 0}, {2});
  const at::Tensor last_out = of({1, 0}, {2}), out = at::zeros({2, 3});
  call_operator("torchaudio::_overdrive_core_loop", {x, x, last_in, last_out, out});
  EXPECT_TRUE(at::equal(last_in, of({.5f, 4}, {2}))) << last_in;
  const cli::Comparison states = cli::compare(of({.990087375f, 3.99f}, {2}), last_out);
  EXPECT_FALSE(states.mismatch) << *states.mismatch;
  const cli::Comparison comparison =
      cli::compare(of({1.62125f, -.88435625f, .992565531f, 0, 2.5f, 4.9925f}, {2, 3}), out);
  EXPECT_FALSE(comparison.mismatch) << *comparison.mismatch;
}

TEST(TorchaudioOps, ItsResultsShapeIsNoData) {
  register_torchaudio_operators();
  const auto& loop =
      torch::jit::getAllOperatorsFor(c10::Symbol::fromQualString("torchaudio::_lfilter_core_loop"));
  const OpTraits traits = traits_of(loop.front()->schema());
  EXPECT_FALSE(traits.dynamic_shape);
  EXPECT_FALSE(traits.reads_data);
  EXPECT_EQ(traits.writes, (decltype(traits.writes){false, false, true}));
}

TEST(TorchaudioOps, OperandsThatDontFitAreErrors) {
  register_torchaudio_operators();
  const auto loop = [](const at::Tensor& a, const at::Tensor& out) {
    try {
      call_operator("torchaudio::_lfilter_core_loop", {waveform(), a, out});
    } catch (const c10::Error& error) {
      return std::string(error.what_without_backtrace());
    }
    return std::string();
  };
  EXPECT_EQ(loop(at::zeros({3, 2}), at::zeros({1, 2, 9})),
            "torchaudio::_lfilter_core_loop: expected coefficients for 2 channels, got [3, 2]");
  EXPECT_EQ(loop(at::zeros({2, 3}), at::zeros({1, 2, 9})),
            "torchaudio::_lfilter_core_loop: expected a dense result of shape [1, 2, 10], got [1, "
            "2, 9]");
  EXPECT_EQ(loop(at::zeros({2, 3}, at::kDouble), at::zeros({1, 2, 10})),
            "torchaudio::_lfilter_core_loop: expected tensors of one element type, got Float and "
            "Double");
  const auto drive = [](const at::Tensor& shaped, const at::Tensor& last_in) {
    const at::Tensor x = waveform()[0];
    try {
      call_operator("torchaudio::_overdrive_core_loop",
                    {x, shaped, last_in, at::zeros({2}), at::zeros_like(x)});
    } catch (const c10::Error& error) {
      return std::string(error.what_without_backtrace());
    }
    return std::string();
  };
  EXPECT_EQ(drive(at::zeros({2, 7}), at::zeros({2})),
            "torchaudio::_overdrive_core_loop: expected tensors of one shape, got [2, 8], [2, 7] "
            "and [2, 8]");
  EXPECT_EQ(drive(at::zeros({2, 8}), at::zeros({3})),
            "torchaudio::_overdrive_core_loop: expected states of 2 channels, got [3]");
}

}  // namespace
}  // namespace torchweld::testing
