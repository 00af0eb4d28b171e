// From a kernel spec to machine code for its two innermost dims.
#pragma once

#include <asmjit/x86.h>

#include <cstdint>
#include <string>

#include "kernels/spec.h"
#include "kernels/x86/isa.h"

namespace torchweld::x86 {

/// What generated code is called with. Its layout is known to generated code.
struct LaunchArgs {
  char* pointers[kMaxOperands];  ///< first elements of the block, loads first, then stores
  int64_t inner_bytes[kMaxOperands];
  int64_t outer_bytes[kMaxOperands];
  int64_t inner;   ///< elements of the innermost dim, at least 1
  int64_t outer;   ///< rows, at least 1
  int64_t stream;  ///< nonzero: store past the caches; stores are then 64-byte aligned in every row
};

using Entry = void (*)(LaunchArgs*);

/// Generated code and what the launcher should know about it.
struct Generated {
  Entry entry = nullptr;
  int64_t code_bytes = 0;
  int lanes = 0;
  double cycles_per_element = 0;  ///< an estimate
  bool can_stream = false;
};

/// Generates code into `runtime`, which owns it.
///
/// Result   `entry` is null when the code could not be made; `why` then says the reason.
Generated generate(const KernelSpec& spec, Isa isa, asmjit::JitRuntime* runtime, std::string* why);

}  // namespace torchweld::x86
