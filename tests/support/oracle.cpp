// Each engine gets a LibTorch module of its own, and both make the same calls in the same order:
// modules with state agree only then. The generator of random numbers is seeded before each call,
// for both.
#include "tests/support/oracle.h"

#include <ATen/Context.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <gtest/gtest.h>

#include <optional>

#include "cli/compare.h"
#include "cli/float64.h"
#include "cli/libtorch_module.h"
#include "tests/support/archives.h"

namespace torchweld::testing {
namespace {

/// One call's answer, or what it raised.
struct Answer {
  std::optional<c10::IValue> value;
  std::string raised;
};

template <class Call>
Answer answer_of(const Call& call) {
  at::manual_seed(7);
  try {
    return {call(), ""};
  } catch (const std::exception& error) {
    return {std::nullopt, error.what()};
  }
}

bool is_of_halves(const c10::IValue& value) {
  bool found = false;
  for (const at::Tensor& t : cli::tensors_in(value))
    found |= t.defined() && c10::isReducedFloatingType(t.scalar_type());
  return found;
}

void expect_equal(const c10::IValue& expected, const c10::IValue& actual, const std::string& what) {
  const cli::Comparison comparison = cli::compare(expected, actual);
  EXPECT_FALSE(comparison.mismatch) << what << ": " << *comparison.mismatch;
}

void expect_same_strides(const c10::IValue& expected, const c10::IValue& actual,
                         const std::string& what) {
  const auto a = cli::tensors_in(expected), b = cli::tensors_in(actual);
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (!a[i].defined() || a[i].layout() != at::kStrided || a[i].numel() < 2) continue;
    for (int64_t d = 0; d < a[i].dim() && a[i].sizes() == b[i].sizes(); ++d) {
      if (a[i].size(d) == 1) continue;
      EXPECT_EQ(a[i].stride(d), b[i].stride(d)) << what << ": stride " << d << " of tensor " << i;
    }
  }
}

/// The values as they are where the engine is on the host, else copies of them on the device.
Values on(c10::Device device, Values values) {
  for (c10::IValue& v : values) {
    bool elsewhere = false;
    for (const at::Tensor& t : cli::tensors_in(v)) elsewhere |= t.defined() && t.device() != device;
    if (elsewhere) v = v.deepcopy(device);
  }
  return values;
}

/// Two implementations of one archive, called side by side. Of halves LibTorch is no oracle: where
/// the answers differ, float64 decides.
class Pair {
 public:
  Pair(const std::string& name, const Options& options)
      : name_(name),
        plans_(options.planning != Planning::kOff && options.numerics == Numerics::kDefault),
        reference_(archive_path(name), options.method),
        engine_(load(archive_path(name), options)) {}

  Values typed(Values inputs) const { return cli::coerced(std::move(inputs), engine_.arguments()); }

  void call(const Values& inputs, const std::string& what) {
    const Values theirs = cli::copied(inputs);
    Values ours = on(engine_.options().device, cli::copied(inputs));
    const Answer expected = answer_of([&] { return reference_.run_eager(theirs); });
    Answer actual = answer_of([&] { return engine_.run(ours); });
    ours = on(c10::kCPU, std::move(ours));
    if (actual.value) actual.value = on(c10::kCPU, {*actual.value})[0];
    ASSERT_EQ(expected.value.has_value(), actual.value.has_value())
        << what << ": LibTorch: " << (expected.value ? "answers" : expected.raised)
        << "\nTorchweld: " << (actual.value ? "answers" : actual.raised);
    for (size_t i = 0; i < inputs.size(); ++i) {
      expect_equal(theirs[i], ours[i], what + ": input " + std::to_string(i) + " afterwards");
    }
    if (!expected.value) return;
    expect_same_strides(*expected.value, *actual.value, what);
    const bool rounds_otherwise = plans_ && is_of_halves(*expected.value) &&
                                  cli::compare(*expected.value, *actual.value).mismatch;
    if (rounds_otherwise) {
      expect_no_farther_from_float64(inputs, *expected.value, *actual.value, what);
    } else {
      expect_equal(*expected.value, *actual.value, what);
    }
    const c10::IValue kept = rounds_otherwise ? cli::copied(*actual.value) : *expected.value;
    answers_.push_back({kept, *actual.value, what});
    last_answer_ = rounds_otherwise ? *expected.value : *actual.value;
  }

  /// Answers that were handed out are the caller's: later calls leave them alone, unless LibTorch's
  /// do not.
  void expect_answers_still_agree() const {
    for (const Kept& kept : answers_) {
      expect_equal(kept.expected, kept.actual, kept.what + ", looked at again after later calls");
    }
  }

  /// LibTorch's, where float64 decided for ours.
  const c10::IValue* last_answer() const { return last_answer_ ? &*last_answer_ : nullptr; }

 private:
  void expect_no_farther_from_float64(const Values& inputs, const c10::IValue& expected,
                                      const c10::IValue& actual, const std::string& what) {
    if (!wide_) wide_.emplace(archive_path(name_), engine_.options().method);
    const c10::IValue exact = wide_->run_in(at::kDouble, cli::copied(inputs));
    const auto distances = cli::distances(exact, expected, actual);
    ASSERT_TRUE(distances) << what << ": float64 has other shapes";
    EXPECT_TRUE(distances->no_farther && distances->in_halves)
        << what << ": " << *cli::compare(expected, actual).mismatch << "; from float64 LibTorch is "
        << distances->libtorch << ", Torchweld " << distances->torchweld;
  }

  struct Kept {
    c10::IValue expected, actual;
    std::string what;
  };
  std::string name_;
  bool plans_;  // in default numerics: the others give LibTorch's halves
  cli::LibTorchModule reference_;
  Engine engine_;
  std::optional<cli::LibTorchModule> wide_;
  std::vector<Kept> answers_;
  std::optional<c10::IValue> last_answer_;
};

/// The same shapes with other values: what is decided on data is decided anew, the plan stays.
c10::IValue other_values(const c10::IValue& value) {
  if (!value.isTensor() || value.toTensor().dim() == 0) return value;
  const at::Tensor flipped = value.toTensor().flip(0);
  return value.toTensor().is_floating_point() ? flipped.neg() : flipped;
}

c10::IValue doubled(const c10::IValue& value) {
  if (!value.isTensor() || value.toTensor().dim() == 0) return value;
  return at::cat({value.toTensor(), value.toTensor()}, 0);
}

template <class Change>
Values changed(const Values& inputs, const Change& change) {
  Values result;
  for (const c10::IValue& input : inputs) result.push_back(change(input));
  return result;
}

void expect_recorded(const c10::IValue& answer, const std::vector<at::Tensor>& recorded) {
  const auto tensors = cli::tensors_in(answer);
  ASSERT_EQ(tensors.size(), recorded.size()) << "tensors of the original model";
  for (size_t i = 0; i < tensors.size(); ++i) {
    expect_equal(recorded[i], tensors[i], "original model, tensor " + std::to_string(i));
  }
}

std::string text_of(const Options& options) {
  return std::string(options.planning == Planning::kOff ? "interpreted" : "planned") +
         (options.numerics == Numerics::kExact ? ", exact" : "");
}

}  // namespace

Values other_shape(const Values& inputs) { return changed(inputs, doubled); }

std::vector<Options> every_option() {
  std::vector<Options> all(3);
  all[0].planning = Planning::kBlocking;
  all[1].planning = Planning::kBlocking;
  all[1].numerics = Numerics::kExact;
  all[2].planning = Planning::kOff;
  return all;
}

void expect_agrees_with_libtorch(const std::string& name, const OracleOptions& oracle) {
  const cli::InputsFile file = archive_inputs(name);
  for (const Options& options : oracle.options) {
    const std::string what = name + " (" + text_of(options) + ")";
    Pair pair(name, options);
    const Values inputs = pair.typed(file.inputs);
    for (int run = 1; run <= oracle.runs; ++run) {
      pair.call(inputs, what + ", run " + std::to_string(run));
      // At once: an answer that is the module's own state changes with the next call.
      if (run == 1 && oracle.compare_with_recorded && pair.last_answer() && file.outputs &&
          !file.outputs->empty()) {
        expect_recorded(*pair.last_answer(), *file.outputs);
      }
    }
    for (int run = 1; oracle.other_inputs && run <= 2; ++run) {
      pair.call(changed(inputs, other_values), what + ", other values");
      pair.call(other_shape(inputs), what + ", other shape");
    }
    pair.call(inputs, what + ", last run");
    pair.expect_answers_still_agree();
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace torchweld::testing
