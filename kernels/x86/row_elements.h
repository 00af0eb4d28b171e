// How rows by hand read elements, and where rows begin. Included by files that are compiled for one
// instruction set, after they have said so; uses nothing of the standard library.
#pragma once

#include <immintrin.h>

#include "kernels/half.h"
#include "kernels/x86/host_rows.h"

namespace torchweld::x86 {
namespace {

/// In memory, and what it is reduced in.
template <class M, class C>
struct Plain {
  using Memory = M;
  using Compute = C;
  static C of(M m) { return static_cast<C>(m); }
  static M back(C c) { return static_cast<M>(c); }
};

struct F16 {
  using Memory = uint16_t;
  using Compute = float;
  static float of(uint16_t m) { return _cvtsh_ss(m); }
  static uint16_t back(float c) { return _cvtss_sh(c, _MM_FROUND_TO_NEAREST_INT); }
};

struct BF16 {
  using Memory = uint16_t;
  using Compute = float;
  static float of(uint16_t m) { return f32_of_bf16(m); }
  static uint16_t back(float c) { return bf16_of_f32(c); }
};

/// Whether an element isn't zero, which a NaN isn't.
template <class E>
struct Truth {
  using Memory = typename E::Memory;
  using Compute = int32_t;
  static int32_t of(Memory m) { return E::of(m) != 0; }
};

/// Elements from the first to one at a flat place among dims [first, last).
inline int64_t offset_of(const HostRows& call, const int64_t* strides, size_t first, size_t last,
                         int64_t place) {
  int64_t offset = 0;
  for (size_t d = last; d-- > first && place > 0;) {
    offset += place % call.sizes[d] * strides[d];
    place /= call.sizes[d];
  }
  return offset;
}

}  // namespace
}  // namespace torchweld::x86
