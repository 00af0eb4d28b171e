// Between our element types and LibTorch's.
#pragma once

#include <c10/core/ScalarType.h>

#include "kernels/dtype.h"

namespace torchweld {

/// kOther for types that kernels don't compute on (complex128, quantised, float8 ...).
inline DType dtype_of(c10::ScalarType type) {
  switch (type) {
    case c10::ScalarType::Float:
      return DType::kF32;
    case c10::ScalarType::Double:
      return DType::kF64;
    case c10::ScalarType::Half:
      return DType::kF16;
    case c10::ScalarType::BFloat16:
      return DType::kBF16;
    case c10::ScalarType::Long:
      return DType::kI64;
    case c10::ScalarType::Int:
      return DType::kI32;
    case c10::ScalarType::Short:
      return DType::kI16;
    case c10::ScalarType::Char:
      return DType::kI8;
    case c10::ScalarType::Byte:
      return DType::kU8;
    case c10::ScalarType::Bool:
      return DType::kBool;
    case c10::ScalarType::ComplexFloat:
      return DType::kC64;
    default:
      return DType::kOther;
  }
}

/// The inverse; Undefined for kOther.
inline c10::ScalarType scalar_type_of(DType type) {
  switch (type) {
    case DType::kF32:
      return c10::ScalarType::Float;
    case DType::kF64:
      return c10::ScalarType::Double;
    case DType::kF16:
      return c10::ScalarType::Half;
    case DType::kBF16:
      return c10::ScalarType::BFloat16;
    case DType::kI64:
      return c10::ScalarType::Long;
    case DType::kI32:
      return c10::ScalarType::Int;
    case DType::kI16:
      return c10::ScalarType::Short;
    case DType::kI8:
      return c10::ScalarType::Char;
    case DType::kU8:
      return c10::ScalarType::Byte;
    case DType::kBool:
      return c10::ScalarType::Bool;
    case DType::kC64:
      return c10::ScalarType::ComplexFloat;
    case DType::kOther:
      break;
  }
  return c10::ScalarType::Undefined;
}

}  // namespace torchweld
