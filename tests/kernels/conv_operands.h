// What tests of convolutions by hand take.
#pragma once

#include <cstdint>

#include "kernels/x86/matmul.h"
#include "tests/kernels/guarded.h"

namespace torchweld::x86 {

/// Floats that end at an unreadable page.
class Floats {
 public:
  explicit Floats(int64_t count, int64_t seed = 0)
      : count_(count), memory_(static_cast<size_t>(count) * sizeof(float)) {
    for (int64_t i = 0; i < count; ++i)
      data()[i] = static_cast<float>((i * 7919 + seed) % 1000) / 500.0f - 1.0f;
  }
  float* data() const { return reinterpret_cast<float*>(memory_.data()); }
  float& operator[](int64_t i) const { return data()[i]; }
  int64_t size() const { return count_; }

 private:
  int64_t count_;
  torchweld::testing::Guarded memory_;
};

/// What joins the sums of a convolution.
struct Extras {
  bool bias = false, summand = false;
  Clamp clamp = {};
  bool scale = false;
};

}  // namespace torchweld::x86
