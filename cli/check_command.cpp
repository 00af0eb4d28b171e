// torchweld check: several runs against LibTorch's interpreter, and against recorded outputs.
#include <ATen/Context.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/call.h"
#include "cli/commands.h"
#include "cli/compare.h"
#include "cli/inputs_file.h"
#include "cli/libtorch_module.h"
#include "cli/progress.h"

namespace torchweld::cli {
namespace {

using Json = nlohmann::ordered_json;
using Values = std::vector<c10::IValue>;

/// One answer; an exception is an answer too, and has to be given by both.
struct Answer {
  std::optional<c10::IValue> value;
  std::string raised;
};

template <class Function>
Answer answer_of(uint64_t seed, const Function& function) {
  at::manual_seed(seed);  // operators that draw random numbers draw the same ones in both
  try {
    return {function(), ""};
  } catch (const std::exception& error) {
    const std::string text = error.what();
    return {std::nullopt, text.substr(0, text.find("\nException raised from"))};
  }
}

/// What the comparisons of one check found.
struct Findings {
  std::vector<Comparison> runs;
  std::optional<Comparison> recorded;
  std::optional<Divergence> divergence;
  /// Of the first run that differs: how far LibTorch's answer is from its own in float64, and ours.
  std::optional<std::pair<double, double>> from_float64;

  bool agree() const {
    const auto equal = [](const Comparison& c) { return !c.mismatch; };
    return std::all_of(runs.begin(), runs.end(), equal) && (!recorded || equal(*recorded));
  }
  double largest_error() const {
    double largest = 0;
    for (const Comparison& run : runs) largest = std::max(largest, run.largest_error);
    return largest;
  }
};

std::optional<Tolerance> tolerance_of(const CheckArguments& arguments) {
  if (arguments.relative < 0 && arguments.absolute < 0) return std::nullopt;
  return Tolerance{std::max(arguments.relative, 0.0), std::max(arguments.absolute, 0.0)};
}

Comparison compared(const Answer& expected, const Answer& actual,
                    const std::optional<Tolerance>& tolerance) {
  if (expected.value && actual.value) return compare(*expected.value, *actual.value, tolerance);
  if (!expected.value && !actual.value) return {};
  return {0, expected.value ? "LibTorch answers, Torchweld raises: " + actual.raised
                            : "Torchweld answers, LibTorch raises: " + expected.raised};
}

Comparison compare_with_recorded(const c10::IValue& value, const std::vector<at::Tensor>& recorded,
                                 const std::optional<Tolerance>& tolerance) {
  const std::vector<at::Tensor> tensors = tensors_in(value);
  if (tensors.size() != recorded.size()) {
    return {0, fmt::format("{} tensors were recorded, the answer has {}", recorded.size(),
                           tensors.size())};
  }
  return compare(c10::IValue(recorded), c10::IValue(tensors), tolerance);
}

/// The largest distance of two answers' elements; nullopt where they can't be laid side by side.
std::optional<double> distance(const c10::IValue& exact, const c10::IValue& answer) {
  const std::vector<at::Tensor> a = tensors_in(exact), b = tensors_in(answer);
  if (a.size() != b.size()) return std::nullopt;
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].sizes() != b[i].sizes()) return std::nullopt;
    if (!a[i].is_floating_point() || a[i].numel() == 0) continue;
    const at::Tensor apart = a[i].to(at::kDouble).sub(b[i].to(a[i].device(), at::kDouble)).abs();
    largest = std::max(largest, apart.nan_to_num(0).max().item<double>());
  }
  return largest;
}

/// Whether rounding explains a difference: both answers of run `run` beside LibTorch's in float64.
std::optional<std::pair<double, double>> from_float64(const CheckArguments& arguments,
                                                      const Call& call, int run,
                                                      const Answer& expected,
                                                      const Answer& actual) {
  if (!expected.value || !actual.value) return std::nullopt;
  Answer exact;
  try {
    LibTorchModule wide(arguments.call.archive, arguments.call.method,
                        call.engine.options().device);
    for (int i = 0; i <= run; ++i)  // a module may keep what it saw
      exact = answer_of(arguments.call.seed + static_cast<uint64_t>(i),
                        [&] { return wide.run_float64(copied(call.inputs)); });
    if (!exact.value) return std::nullopt;
    const auto theirs = distance(*exact.value, *expected.value),
               ours = distance(*exact.value, *actual.value);
    if (theirs && ours) return std::pair(*theirs, *ours);
  } catch (const std::exception&) {  // no float64 of this archive: the check stands without it
  }
  return std::nullopt;
}

Findings findings(const CheckArguments& arguments, const Call& call, LibTorchModule& reference) {
  const auto tolerance = tolerance_of(arguments);
  Findings found;
  const Progress progress("checking");
  bool differs = false;
  for (int run = 0; run < arguments.runs; ++run) {
    progress.say(fmt::format("checking run {} of {}", run + 1, arguments.runs));
    const Values ours = copied(call.inputs), theirs = copied(call.inputs);
    const uint64_t seed = arguments.call.seed + static_cast<uint64_t>(run);
    const Answer expected = answer_of(seed, [&] { return reference.run_eager(theirs); });
    const Answer actual = answer_of(seed, [&] { return call.engine.run(ours); });
    Comparison comparison = compared(expected, actual, tolerance);
    for (size_t i = 0; i < ours.size() && !comparison.mismatch; ++i) {
      const Comparison input = compare(theirs[i], ours[i], tolerance);
      if (input.mismatch)
        comparison.mismatch = fmt::format("input {} after the call: {}", i, *input.mismatch);
    }
    if (comparison.mismatch && !differs)
      found.from_float64 = from_float64(arguments, call, run, expected, actual);
    differs |= comparison.mismatch.has_value();
    found.runs.push_back(comparison);
    if (run == 0 && call.recorded && !call.recorded->empty() && actual.value) {
      found.recorded = compare_with_recorded(*actual.value, *call.recorded, tolerance);
    }
  }
  if (!found.agree()) {
    progress.say("looking for the first step that differs");
    found.divergence =
        call.engine.diverges(copied(call.inputs), arguments.relative, arguments.absolute);
  }
  return found;
}

Json comparison_json(const Comparison& comparison) {
  return {{"largest_error", comparison.largest_error},
          {"mismatch", comparison.mismatch ? Json(*comparison.mismatch) : Json(nullptr)}};
}

void print_json(const CheckArguments& arguments, const Findings& found) {
  Json json{{"archive", arguments.call.archive},
            {"agrees", found.agree()},
            {"largest_error", found.largest_error()},
            {"runs", Json::array()}};
  for (const Comparison& run : found.runs) json["runs"].push_back(comparison_json(run));
  if (found.recorded) json["recorded"] = comparison_json(*found.recorded);
  if (const auto& distances = found.from_float64)
    json["from_float64"] = {{"libtorch", distances->first}, {"torchweld", distances->second}};
  if (const auto& d = found.divergence) {
    json["divergence"] = {{"block", d->block},   {"step", d->step},
                          {"name", d->name},     {"op", d->op},
                          {"source", d->source}, {"largest_error", d->largest_error}};
  }
  std::cout << json.dump(2) << "\n";
}

void print_text(const CheckArguments& arguments, const Findings& found) {
  for (size_t i = 0; i < found.runs.size(); ++i) {
    if (found.runs[i].mismatch)
      std::cout << fmt::format("run {} differs: {}\n", i + 1, *found.runs[i].mismatch);
  }
  if (found.recorded) {
    std::cout << (found.recorded->mismatch
                      ? "recorded outputs differ: " + *found.recorded->mismatch
                      : fmt::format("recorded outputs agree; largest error {:.3g}",
                                    found.recorded->largest_error))
              << "\n";
  }
  if (const auto& distances = found.from_float64)
    std::cout << fmt::format(
        "from LibTorch's answer in float64: LibTorch's own {:.3g}, Torchweld's {:.3g}\n",
        distances->first, distances->second);
  if (const auto& d = found.divergence) {
    std::cout << fmt::format("first difference: block {}, step {} ({}), {} at {}, error {:.3g}\n",
                             d->block, d->step, d->name, d->op,
                             d->source.empty() ? "an unknown line" : d->source, d->largest_error);
  } else if (!found.agree()) {
    std::cout << "no single step differs by more than the tolerance: the difference builds up\n";
  }
  std::cout << fmt::format("{}: {} runs {} LibTorch; largest error {:.3g}\n",
                           arguments.call.archive, found.runs.size(),
                           found.agree() ? "agree with" : "DIFFER from", found.largest_error());
}

}  // namespace

int check_command(const CheckArguments& arguments) {
  const Call call = prepared_call(arguments.call, Planning::kBlocking);
  LibTorchModule reference(arguments.call.archive, arguments.call.method,
                           call.engine.options().device);
  const Findings found = findings(arguments, call, reference);
  arguments.call.json ? print_json(arguments, found) : print_text(arguments, found);
  return found.agree() ? 0 : 1;
}

}  // namespace torchweld::cli
