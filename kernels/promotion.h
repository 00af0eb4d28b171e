// ATen's type promotion (c10/core/ScalarType.h, ATen/native/TypeProperties.cpp) as a function of
// plain data.
#pragma once

#include <span>

#include "kernels/op_table.h"

namespace torchweld {

/// The dtype that both convert to; kOther when one of them is kOther.
DType promote(DType a, DType b);

/// The dtype in which an op on `args` computes: a 0-dim tensor or a number never widens within a
/// category of types. Strings, absent arguments and the like have no say. kOther when nobody has
/// one.
DType result_type(std::span<const OpArg> args);

}  // namespace torchweld
