// Elements of any type as unsigned integers of the same order, which one algorithm then compares by
// one instruction.
#pragma once

#include <cstdint>

#include "kernels/dtype.h"

namespace torchweld::x86 {

/// Whether the keys are of 32 bits, otherwise of 64.
constexpr bool has_narrow_keys(DType dtype) { return dtype != DType::kF64 && dtype != DType::kI64; }

/// The keys of `count` elements, `stride` apart.
///
/// Numerics  zeros have one key, and so has NaN, which is the largest; `descending` turns the order
///           around. Needs AVX2.
void make_keys(DType dtype, bool descending, const char* x, int64_t stride, int64_t count,
               uint32_t* keys);
void make_keys(DType dtype, bool descending, const char* x, int64_t stride, int64_t count,
               uint64_t* keys);

/// The first of keys [from, count) that is less than `bound`; count when none is. Needs AVX2.
int64_t first_below(const uint32_t* keys, int64_t from, int64_t count, uint32_t bound);
int64_t first_below(const uint64_t* keys, int64_t from, int64_t count, uint64_t bound);

}  // namespace torchweld::x86
