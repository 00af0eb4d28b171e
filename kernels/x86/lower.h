// A kernel spec's body, made ready for the generator: dead code gone, instructions that fuse
// marked.
#pragma once

#include <vector>

#include "kernels/spec.h"
#include "kernels/x86/isa.h"
#include "kernels/x86/row_order.h"

namespace torchweld::x86 {

/// One instruction to emit.
struct Step {
  Inst inst;
  bool negate_product = false;  ///< kFma: -(a * b) + c
  bool negate_addend = false;   ///< kFma: a * b - c
  bool large_divisor = false;   ///< kDiv: the divisor is 1 or more, or NaN
  bool not_positive = false;    ///< kExp: the operand is at most 0, or NaN
  bool gelu = false;            ///< kErf: it stands for x times the normal distribution up to x
  SumOrder order{};             ///< kSum
  bool live = false;
  int last_use =
      -1;  ///< index of the last step that reads the value; the body's size when a store does
};

/// What is computed in one pass over a row; indices of steps, in order. Constants are in none.
struct Phase {
  std::vector<int> row;         ///< once, before the pass: values of the row
  std::vector<int> element;     ///< for each vector; reductions among them take their operand in
  std::vector<int> reductions;  ///< those of `element` that are reductions
  bool keeps = false;           ///< it puts Program::kept aside
  bool takes_kept = false;      ///< or has it from an earlier pass
};

/// A body as steps; `stores[i]` is the value that store i writes, in the compute type of its dtype.
struct Program {
  std::vector<Step> steps;
  std::vector<int16_t> stores;
  std::vector<Phase> phases;  ///< one for a pointwise body; the last is what follows the last pass
  std::vector<bool> per_row;  ///< by step: one value a row
  std::vector<bool> uniform;  ///< by step: the same in all lanes
  bool has_64bit = false;
  int weight = 0;      ///< rough cost in cycles a vector
  int most_alive = 0;  ///< values of one vector that are needed at once, constants aside
  int kept = -1;       ///< a step of f32 or f64 that one pass puts aside for later ones; -1: none

  /// An element of it.
  int kept_bytes() const {
    return static_cast<int>(size_of(steps[static_cast<size_t>(kept)].inst.type));
  }
};

/// `keeps`: a value that costs much and is needed in several passes may be computed once.
Program lower(const KernelSpec& spec, bool keeps);

/// Elements of a vector. 64-bit ones halve the lanes of the whole kernel, so that every value has
/// as many.
int lane_count(const KernelSpec& spec, const Program& program, Isa isa);

}  // namespace torchweld::x86
