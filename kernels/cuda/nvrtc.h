// NVRTC: CUDA C++ text to machine code, the one road by which kernels are compiled.
// What it is not: a cache (disk_cache.h) or the maker of the text (source.h).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/cuda/device.h"

namespace torchweld::cuda {

/// A header that sources include by name; never read from disk.
struct Header {
  std::string_view name, text;
};

/// What one compile is asked for.
struct CompileRequest {
  std::string name;  ///< as the profiler and messages show it: "fused_mul_add_f16.cu"
  std::string source;
  std::vector<Header> headers;
  int capability = 90;        ///< the device's; code for it, or PTX where NVRTC is older than it
  bool for_it_alone = false;  ///< "sm_90a": may use what later architectures lack
  bool line_numbers = false;  ///< PTX and machine code name source lines
  bool ptx_alone = false;     ///< no machine code, and no word of registers: takes half the time
};

struct Compiled {
  Image image;
  std::string log;                                         ///< warnings and the assembler's report
  std::vector<std::pair<std::string, Resources>> kernels;  ///< by entry name
  double compile_us = 0;
};

/// Compiles. Thread-safe; compiles on several threads run side by side.
///
/// Options  no fast-math, no contraction of a*b+c: what a kernel wants it writes as fma().
/// Throws   Error kDevice when NVRTC is missing; kInternal with its log when the source is refused.
Compiled compile(const CompileRequest& request);

/// What NVRTC is told beside the source; part of the key of what is cached.
std::vector<std::string> options_of(const CompileRequest& request);

/// "13.0", part of the key of what is cached.
std::string nvrtc_version();

/// The architectures that this NVRTC makes machine code for, as capabilities, ascending.
std::span<const int> supported_architectures();

}  // namespace torchweld::cuda
