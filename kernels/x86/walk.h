// How generated code walks a loop nest: which dims are rows, which one vectors lie along, and which
// are loops within a row.
#pragma once

#include "kernels/kernel.h"

namespace torchweld::x86 {

/// Dims of a spec by what generated code does with them.
///
/// Flat     pointwise: vectors along the innermost dim.
/// Along    a row's elements lie side by side: vectors along the row's innermost dim, the row's
///          other dims are loops, and lanes are merged at the end of a pass.
/// Across   neighbours in memory belong to different rows: vectors along the innermost dim that is
///          kept, a lane a row; all dims of the row are loops, and nothing is merged.
struct Walk {
  int outer = 0;       ///< dims [0, outer) count rows
  int lane = 0;        ///< vectors lie along it
  int nest_begin = 0;  ///< dims [nest_begin, nest_end) are loops within a row
  int nest_end = 0;
  bool across = false;

  int nest() const { return nest_end - nest_begin; }
};

/// Rows are walked the way in which fewer operands are read or written across memory.
Walk walk_of(const KernelSpec& spec);

/// The spec, saying less about its strides where rows are so short that most lanes along them would
/// be idle, so that they are walked across.
KernelSpec for_short_rows(const KernelSpec& spec, const Geometry& geometry);

/// Whether an operand has one place for all of a row.
bool is_of_row(const OperandSpec& operand, const KernelSpec& spec);

}  // namespace torchweld::x86
