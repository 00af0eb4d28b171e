// What tests of convolutions by hand take.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>

#include "kernels/x86/conv_shape.h"
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

/// Each result close to `expected(image, y, x, channel)`: its value, and the absolute values that
/// rounding is relative to.
template <class Expected>
void expect_sums(const ConvShape& s, const Floats& out, const char* what,
                 const Expected& expected) {
  int64_t at = 0;
  for (int64_t b = 0; b < s.batch; ++b) {
    for (int64_t y = 0; y < s.out_height; ++y) {
      for (int64_t i = 0; i < s.out_width; ++i) {
        for (int64_t c = 0; c < s.out_channels; ++c, ++at) {
          const auto [value, size] = expected(b, y, i, c);
          ASSERT_NEAR(out[at], value, 0x1p-22 * size)
              << what << ": image " << b << ", " << y << ", " << i << ", channel " << c << " of "
              << s.out_channels;
        }
      }
    }
  }
}

}  // namespace torchweld::x86
