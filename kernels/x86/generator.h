// From a kernel spec to machine code for its rows and one of the dims that count them.
#pragma once

#include <asmjit/x86.h>

#include <cstdint>
#include <string>

#include "kernels/spec.h"
#include "kernels/x86/isa.h"
#include "kernels/x86/launch_args.h"

namespace torchweld::x86 {

inline constexpr int64_t kMostKept = 16384;

using Entry = void (*)(LaunchArgs*);

/// Generated code and what the launcher should know about it.
struct Generated {
  Entry entry = nullptr;
  int64_t code_bytes = 0;
  int lanes = 0;
  double cycles_per_element = 0;  ///< an estimate
  bool can_stream = false;
  bool keeps = false;  ///< it wants LaunchArgs::kept
};

/// What the length of rows lets code do.
struct ForLength {
  bool keeps = false;     ///< a value that is costly and needed in two passes is put aside: at most
                          ///< kMostKept elements
  bool cascades = false;  ///< sums are LibTorch's cascades, which cost short rows a fifth
  bool operator==(const ForLength&) const = default;
};

/// Generates code into `runtime`, which owns it.
///
/// Result   `entry` is null when the code could not be made; `why` then says the reason.
Generated generate(const KernelSpec& spec, ForLength length, Isa isa, asmjit::JitRuntime* runtime,
                   std::string* why);

}  // namespace torchweld::x86
