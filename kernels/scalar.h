// One primitive on one element: the meaning of the primitives, in plain C++ and libm.
// Constant folding, the reference evaluator and the generators' slow paths all use it, so they
// agree.
#pragma once

#include <cstdint>

#include "kernels/spec.h"

namespace torchweld {

/// A value of any compute type; which member counts is known from the instruction.
union Scalar {
  float f32;
  double f64;
  int64_t i64;
  int32_t i32;
  bool b;
};

/// The result of `inst` on values of type `arg_type` (for kSelect: of its last two operands).
///
/// Numerics libm's; integer division by zero gives 0 instead of trapping.
Scalar eval_scalar(const Inst& inst, DType arg_type, Scalar a, Scalar b, Scalar c);

/// The number as a value of `type`, a compute type.
Scalar scalar_of(DType type, double value);

/// The element at `address`, in its compute type.
Scalar load_scalar(DType dtype, const void* address);

/// Stores `value`, of type compute_type(dtype); halves round to nearest even, integers wrap.
void store_scalar(DType dtype, Scalar value, void* address);

}  // namespace torchweld
