// Non-maximum suppression of boxes: what is asked for, and the host's kernel; the
// device's: cuda/suppression.h.
#pragma once

#include <cstdint>

#include "kernels/dtype.h"

namespace torchweld {

/// Boxes by falling score; each that stays drops the later ones that overlap it by more than
/// `threshold`, as the intersection's part of the union.
///
/// Shapes  boxes [count, 4], dense: left, top, right, bottom
struct SuppressionShape {
  DType dtype = DType::kF32;  ///< f32, f64 or f16
  int64_t count = 0;
  double threshold = 0;
  int64_t strip = 4096;  ///< boxes that are compared with all others at once; of whole words

  static constexpr int64_t kWord = 64;  ///< boxes a word of a mask
  int64_t words() const { return (count + kWord - 1) / kWord; }
  /// Of the scratch, in words of 64 bits: a mask of a strip, then what is dropped so far.
  int64_t scratch_words() const { return ((count < strip ? count : strip) + 1) * words(); }
};

struct SuppressionPointers {
  const void* boxes = nullptr;
  uint64_t* scratch = nullptr;  ///< zero in its last words()
  bool* kept = nullptr;         ///< [count]
};

/// On the host, float32 and float64; without scratch.
///
/// Numerics  NaN overlaps nothing.
/// Source    torchvision/csrc/ops/cpu/nms_kernel.cpp
void run_suppression(const SuppressionShape& shape, const SuppressionPointers& pointers);

}  // namespace torchweld
