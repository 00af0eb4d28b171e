// How an archive is loaded and run.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace torchweld {

/// When the plan of a new signature is made; its first call is always answered at eager cost.
enum class Planning {
  kBackground,  ///< on a thread of the engine; calls run eagerly until the plan is swapped in
  kBlocking,    ///< at the end of the first call with that signature
  kOff,         ///< never: every call is interpreted
};

/// What the planner may change about rounding.
enum class Numerics {
  kDefault,  ///< x+0 and x*2*3 are simplified, which may change the sign of a zero or the last bit;
             ///< products and sums by hand may take another order than the library's
  kExact,    ///< every operator rounds as it does in LibTorch's eager mode: products and sums are
             ///< LibTorch's own calls
};

/// What float32 products are computed in. Matrix products, convolutions and attention round their
/// operands to it and, but for TF32, their results; their sums are float32, and so is all that lies
/// between them and all that goes in and out. As under LibTorch's autocast, what exceeds the type's
/// range becomes infinite.
enum class Precision {
  kArchive,   ///< as the archive says
  kTF32,      ///< CUDA: 10 bits of mantissa in matrix products; convolutions by cuDNN follow
              ///< LibTorch's own setting
  kBFloat16,  ///< 8 bits; CUDA, and processors with AVX512-BF16 or AMX-BF16
  kFloat16,   ///< 11 bits, at most 65504; CUDA, and processors with AVX512-FP16
};

/// In words, as `explain` prints it.
const char* name_of(Precision precision);

class Runtime;

enum class LogLevel { kDebug, kInfo, kWarning };

/// Everything that `load` can be told. The defaults are what a service wants.
struct Options {
  c10::Device device = c10::kCPU;  ///< weights, baked device constants and plans live here
  /// Whose memory, code generator and queue serve the engine; null: those of `device`. Tests put
  /// the virtual GPU here.
  std::shared_ptr<const Runtime> runtime = nullptr;

  std::string method = "forward";  ///< which method of the archive `run` calls
  Planning planning = Planning::kBackground;
  Numerics numerics = Numerics::kDefault;

  /// A permission: where the device has no faster products of that kind, and in calls that are
  /// interpreted, float32 stays, which `explain` says. Not together with kExact.
  Precision precision = Precision::kArchive;

  /// On CUDA: whether the algorithms of matrix products are timed on the device while a plan is
  /// built, instead of taken from cuBLASLt's heuristic. Costs tens of milliseconds a shape once;
  /// what was chosen is kept on disk beside the compiled kernels.
  bool measure_products = false;

  /// On the host: whether a new plan's results are compared with those of LibTorch's own steps and
  /// what is too far off by torch.testing's tolerances is left to LibTorch (docs/numerics.md), and
  /// whether each of its stretches is timed against them and the slower of the two dropped, where
  /// the call may be repeated (it draws no random numbers and writes no inputs). Timing takes some
  /// ten calls' time once for a signature and machine, comparing two calls whenever a plan is made,
  /// off the request path unless planning is blocking; verdicts are kept on disk beside compiled
  /// kernels. Without it no convolution goes by tiles.
  bool measure_plans = true;

  /// Signatures remembered for each block; past it, calls with new signatures are interpreted,
  /// which `explain` says.
  int max_plans = 64;

  /// Called from any thread, never while a lock is held; null is silence.
  std::function<void(LogLevel, std::string_view)> log;
};

}  // namespace torchweld
