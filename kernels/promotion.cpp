// Promotion by categories: tensors with dims, then 0-dim tensors, then numbers.
#include "kernels/promotion.h"

#include <algorithm>

namespace torchweld {
namespace {

constexpr DType kUndefined = DType::kOther;

DType promote_or_skip(DType a, DType b) {
  if (a == kUndefined) return b;
  return b == kUndefined ? a : promote(a, b);
}

DType combine(DType higher, DType lower) {
  if (higher == kUndefined) return lower;
  if (lower == kUndefined || is_floating(higher)) return higher;
  if (higher == DType::kBool || is_floating(lower)) return promote(higher, lower);
  return higher;
}

}  // namespace

DType promote(DType a, DType b) {
  if (a == b) return a;
  if (a == kUndefined || b == kUndefined) return kUndefined;
  if (is_floating(a) || is_floating(b)) {
    if (!is_floating(a)) return b;
    if (!is_floating(b)) return a;
    return is_half(a) && is_half(b) ? DType::kF32
                                    : (is_half(a) ? b : (is_half(b) ? a : DType::kF64));
  }
  if (a == DType::kBool) return b;
  if (b == DType::kBool) return a;
  // i8 with u8 is the one pair of integers where neither holds the other.
  if (size_of(a) == 1 && size_of(b) == 1) return DType::kI16;
  return size_of(a) > size_of(b) ? a : b;
}

DType result_type(std::span<const OpArg> args) {
  DType tensors = kUndefined, zero_dim = kUndefined, numbers = kUndefined;
  for (const OpArg& arg : args) {
    switch (arg.kind) {
      case OpArg::Kind::kTensor: {
        DType& category = arg.dims > 0 ? tensors : zero_dim;
        category = promote_or_skip(category, arg.dtype);
        break;
      }
      case OpArg::Kind::kScalarFloat:
        numbers = promote_or_skip(numbers, DType::kF32);  // LibTorch's default dtype
        break;
      case OpArg::Kind::kScalarInt:
        numbers = promote_or_skip(numbers, DType::kI64);
        break;
      case OpArg::Kind::kScalarBool:
        numbers = promote_or_skip(numbers, DType::kBool);
        break;
      default:
        break;
    }
  }
  return combine(tensors, combine(zero_dim, numbers));
}

}  // namespace torchweld
