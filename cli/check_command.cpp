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
#include "cli/float64.h"
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
  /// LibTorch doesn't give the recorded outputs here either: they are another model's, machine's or
  /// number of threads'.
  bool libtorch_differs_too = false;
  std::optional<Divergence> divergence;
  /// Of the last run that differs, or with a narrower precision of the last run.
  std::optional<Distances> from_float64;

  bool agree() const { return runs_agree() && (!recorded || !recorded->mismatch); }
  bool runs_agree() const {
    return std::none_of(runs.begin(), runs.end(), [](const auto& run) { return run.mismatch; });
  }
  double largest_error() const {
    double largest = 0;
    for (const Comparison& run : runs) largest = std::max(largest, run.largest_error);
    return largest;
  }
};

bool has_own_tolerance(const CheckArguments& arguments) {
  return arguments.relative >= 0 || arguments.absolute >= 0;
}

/// Whether an answer out of tolerance stands all the same. LibTorch's in float64 is the oracle of
/// halves and of narrowed products, of others on request.
bool is_accepted(const CheckArguments& arguments, const Distances& distances) {
  return distances.no_farther &&
         (arguments.float64 || (distances.in_halves && !has_own_tolerance(arguments)));
}

std::optional<Tolerance> tolerance_of(const CheckArguments& arguments) {
  if (!has_own_tolerance(arguments)) {
    const auto type = type_of(arguments.call.precision);
    return type ? std::optional(default_tolerance(*type)) : std::nullopt;
  }
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

Findings findings(const CheckArguments& arguments, const Call& call, LibTorchModule& reference) {
  const auto tolerance = tolerance_of(arguments);
  Findings found;
  Float64Judge judge(arguments.call, call);
  const bool narrows = call.engine.options().precision != Precision::kArchive;
  const Progress progress("checking");
  for (int run = 0; run < arguments.runs; ++run) {
    progress.say(fmt::format("checking run {} of {}", run + 1, arguments.runs));
    const Values ours = copied(call.inputs), theirs = copied(call.inputs);
    const uint64_t seed = arguments.call.seed + static_cast<uint64_t>(run);
    const Answer expected = answer_of(seed, [&] { return reference.run_eager(theirs); });
    const Answer actual = answer_of(seed, [&] { return call.engine.run(ours); });
    Comparison comparison = compared(expected, actual, tolerance);
    const bool answers_differ = comparison.mismatch.has_value();
    for (size_t i = 0; i < ours.size() && !comparison.mismatch; ++i) {
      const Comparison input = compare(theirs[i], ours[i], tolerance);
      if (input.mismatch)
        comparison.mismatch = fmt::format("input {} after the call: {}", i, *input.mismatch);
    }
    const bool is_last = run + 1 == arguments.runs;
    if ((answers_differ || (narrows && is_last)) && expected.value && actual.value) {
      progress.say("running in float64");
      if (auto distances = judge.judge(run, *expected.value, *actual.value)) {
        if (answers_differ && is_accepted(arguments, *distances)) comparison.mismatch.reset();
        found.from_float64 = std::move(distances);
      }
    }
    found.runs.push_back(comparison);
    if (run == 0 && call.recorded && !call.recorded->empty() && actual.value) {
      found.recorded = compare_with_recorded(*actual.value, *call.recorded, tolerance);
      found.libtorch_differs_too =
          expected.value &&
          compare_with_recorded(*expected.value, *call.recorded, tolerance).mismatch;
    }
  }
  if (!found.runs_agree()) {
    progress.say("looking for the first step that differs");
    found.divergence = tolerance ? call.engine.diverges(copied(call.inputs), tolerance->relative,
                                                        tolerance->absolute)
                                 : call.engine.diverges(copied(call.inputs));
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
  if (found.recorded) {
    json["recorded"] = comparison_json(*found.recorded);
    json["recorded"]["libtorch_differs_too"] = found.libtorch_differs_too;
  }
  if (const auto& distances = found.from_float64) {
    json["from_float64"] = {{"libtorch", distances->libtorch},
                            {"torchweld", distances->torchweld},
                            {"no_farther", distances->no_farther}};
    if (distances->narrowed_libtorch)
      json["from_float64"]["narrowed_libtorch"] = *distances->narrowed_libtorch;
  }
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
                      ? fmt::format(
                            "recorded outputs differ{}: {}",
                            found.libtorch_differs_too ? ", from LibTorch's here as well" : "",
                            *found.recorded->mismatch)
                      : fmt::format("recorded outputs agree; largest error {:.3g}",
                                    found.recorded->largest_error))
              << "\n";
  }
  if (const auto& distances = found.from_float64) {
    const std::string narrowed =
        distances->narrowed_libtorch
            ? fmt::format(", LibTorch's all in {} {:.3g}",
                          c10::toString(*type_of(arguments.call.precision)),
                          *distances->narrowed_libtorch)
            : "";
    std::cout << fmt::format(
        "from LibTorch's answer in float64: LibTorch's own {:.3g}{}, Torchweld's {:.3g}\n",
        distances->libtorch, narrowed, distances->torchweld);
  }
  if (!found.agree() && found.from_float64 && found.from_float64->no_farther) {
    std::cout
        << "rounding explains that: Torchweld's answer is no farther from float64 than LibTorch's, "
           "which --float64 accepts\n";
  }
  if (const auto& d = found.divergence) {
    std::cout << fmt::format("first difference: block {}, step {} ({}), {} at {}, error {:.3g}\n",
                             d->block, d->step, d->name, d->op,
                             d->source.empty() ? "an unknown line" : d->source, d->largest_error);
  } else if (!found.runs_agree()) {
    std::cout << "no single step differs by more than the tolerance: the difference builds up\n";
  }
  std::cout << fmt::format(
      "{}: {} runs {} LibTorch{}; largest error {:.3g}\n", arguments.call.archive,
      found.runs.size(), found.runs_agree() ? "agree with" : "DIFFER from",
      found.runs_agree() == found.agree() ? "" : ", not with the recorded outputs",
      found.largest_error());
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
