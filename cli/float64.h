// LibTorch's answer in float64 as the judge of two answers in less.
#pragma once

#include <optional>

#include "cli/call.h"
#include "cli/commands.h"
#include "cli/libtorch_module.h"

namespace torchweld::cli {

/// How far answers are from LibTorch's in float64: the largest distance of two elements.
struct Distances {
  double libtorch = 0, torchweld = 0;
  /// Of LibTorch's answer with everything in the type that float32 products were narrowed to.
  std::optional<double> narrowed_libtorch;
  /// Whether rounding explains what differs: only elements of tensors do, and in none of those is
  /// Torchweld's root mean square distance clearly larger than LibTorch's in the same precision.
  bool no_farther = false;
  /// Whether LibTorch's answer is no oracle for any of those tensors: halves, or narrowed products.
  bool in_halves = true;
};

/// The type that tolerances are taken for where float32 products were narrowed; nullopt where they
/// weren't. TF32 has the mantissa of float16.
std::optional<c10::ScalarType> type_of(Precision precision);

/// The distances of both answers from `exact`; nullopt where that has other shapes. Where float32
/// products were narrowed, `narrow` is LibTorch's answer in that type, if there is one.
std::optional<Distances> distances(const c10::IValue& exact, const c10::IValue& libtorch,
                                   const c10::IValue& torchweld,
                                   std::optional<c10::ScalarType> narrow_type = std::nullopt,
                                   const std::optional<c10::IValue>& narrow = std::nullopt);

/// Runs the archive in float64 beside the runs that are judged, from the first one on, since a
/// module may keep what it saw.
class Float64Judge {
 public:
  Float64Judge(const CallArguments& arguments, const Call& call)
      : arguments_(arguments), call_(call) {}

  /// The distances of both answers of run `run`, which are not fewer than before; nullopt where the
  /// archive doesn't run in float64, or gives something else there.
  std::optional<Distances> judge(int run, const c10::IValue& libtorch,
                                 const c10::IValue& torchweld);

 private:
  /// LibTorch's answer to run `run` with everything in one type.
  struct Replay {
    std::optional<LibTorchModule> module;
    int runs = 0;
    std::optional<c10::IValue> answer;
  };
  const std::optional<c10::IValue>& replay(Replay* replay, c10::ScalarType type, int run) const;

  const CallArguments& arguments_;
  const Call& call_;
  Replay wide_, narrow_;
};

}  // namespace torchweld::cli
