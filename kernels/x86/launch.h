// Walks the outer dims of a geometry, and splits them over threads.
#pragma once

#include <vector>

#include "kernels/kernel.h"
#include "kernels/x86/crosswise.h"
#include "kernels/x86/generator.h"

namespace torchweld::x86 {

/// Calls generated code over a whole geometry. Immutable.
class Launcher {
 public:
  /// `code` is of `spec`, in which operands that are `crosswise` have been turned.
  Launcher(const KernelSpec& spec, const Generated& code, const Crosswise& crosswise);

  void launch(const Geometry& geometry, void* const* pointers, const ParallelFor& parallel) const;
  /// [begin, end) of the outermost dim on the calling thread.
  void launch_part(const Geometry& geometry, void* const* pointers, int64_t begin,
                   int64_t end) const;

 private:
  struct Run;    // one launch
  struct Tiles;  // or one whose crosswise operands are turned

  size_t outer_dims(const Geometry& geometry) const;
  int64_t elements_of(int64_t cycles) const;
  bool should_stream(const Geometry& geometry, void* const* pointers) const;

  Generated code_;
  Crosswise crosswise_;
  std::vector<int64_t> element_bytes_;  // of each operand
  size_t loads_ = 0;
  int reduced_ = 0;
  bool across_ = false;
  bool splits_lanes_ = true;  // not rows that lie in them
  int64_t least_ = 0;         // elements that may be worth a thread
};

}  // namespace torchweld::x86
