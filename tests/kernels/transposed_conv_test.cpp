// Transposed convolutions against plain loops.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/x86/image_conv.h"
#include "kernels/x86/isa.h"
#include "tests/kernels/guarded.h"

namespace torchweld::x86 {
namespace {

struct Window {
  int64_t kernel, stride, pad, more;  ///< `more`: output padding
};

constexpr Window kWindows[] = {{2, 2, 0, 0}, {4, 2, 1, 0}, {6, 2, 2, 1}, {3, 3, 0, 0}, {3, 1, 1, 0},
                               {8, 4, 2, 3}, {6, 3, 5, 2}, {5, 1, 4, 0}, {3, 2, 1, 1}, {5, 2, 1, 0},
                               {7, 3, 2, 1}, {5, 4, 0, 2}, {3, 2, 0, 0}};

/// The last tap that pixels of the result see which lie `phase` after a multiple of the stride.
int64_t last_tap(int64_t kernel, int64_t stride, int64_t phase) {
  return phase + (kernel - 1 - phase) / stride * stride;
}

std::vector<float> numbers(int64_t count, int64_t seed) {
  std::vector<float> out(static_cast<size_t>(count));
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<float>((static_cast<int64_t>(i) * 7919 + seed) % 1000) / 500.0f - 1.0f;
  return out;
}

/// One transposed convolution, its operands and what plain loops make of them.
struct Case {
  Case(int64_t batch, int64_t height, int64_t width, int64_t in, int64_t out, Window window) {
    const auto dim = [&](int64_t size) {
      return (size - 1) * window.stride - 2 * window.pad + window.kernel + window.more;
    };
    const bool signal = height == 1;
    s.op = ImageOp::kTransposed;
    s.batch = batch;
    s.in_channels = in;
    s.out_channels = out;
    s.in_height = height;
    s.in_width = width;
    s.out_height = signal ? 1 : dim(height);
    s.out_width = dim(width);
    s.kernel_height = signal ? 1 : window.kernel;
    s.stride_height = signal ? 1 : window.stride;
    s.pad_height = signal ? 0 : window.pad;
    s.kernel_width = window.kernel;
    s.stride_width = window.stride;
    s.pad_width = window.pad;
    s.x_channel_stride = 1;
    s.x_width_stride = in;
    s.x_height_stride = width * in;
    s.x_batch_stride = height * width * in;
    x = numbers(batch * s.x_batch_stride, 1);
    w = numbers(in * out * s.pixels(), 2);
    scale = numbers(out, 5);
    bias = numbers(out, 3);
    summand = numbers(s.positions() * out, 4);
    std::vector<float> ordered;  // phases, their taps, channels in, channels out; from the last on
    for (int64_t fy = s.stride_height - 1; fy >= 0; --fy) {
      for (int64_t fx = s.stride_width - 1; fx >= 0; --fx) {
        for (int64_t ky = last_tap(s.kernel_height, s.stride_height, fy); ky >= 0;
             ky -= s.stride_height) {
          for (int64_t kx = last_tap(s.kernel_width, s.stride_width, fx); kx >= 0;
               kx -= s.stride_width) {
            for (int64_t c = 0; c < in; ++c) {
              for (int64_t o = 0; o < out; ++o) ordered.push_back(weight(c, o, ky, kx));
            }
          }
        }
      }
    }
    const int64_t panel = out <= kMostFewColumns && in % 2 == 0 ? 1 : 0;
    packed = pack(ordered.data(),
                  {.k = s.taps(), .n = out, .stride_k = out, .stride_n = 1, .panel = panel});
  }

  float weight(int64_t c, int64_t o, int64_t ky, int64_t kx) const {
    return w[static_cast<size_t>(
        ((c * s.out_channels + o) * s.kernel_height + ky) * s.kernel_width + kx)];
  }

  /// Each pixel adds to the places that its filter reaches, as the definition has it.
  std::vector<double> expected() const {
    const int64_t n = s.out_channels;
    std::vector<double> sum(summand.size());
    const int64_t pixels = s.in_height * s.in_width;
    for (int64_t p = 0; p < s.batch * pixels; ++p) {
      const int64_t b = p / pixels, iy = p % pixels / s.in_width, ix = p % s.in_width;
      for (int64_t tap = 0; tap < s.pixels(); ++tap) {
        const int64_t ky = tap / s.kernel_width, kx = tap % s.kernel_width;
        const int64_t y = iy * s.stride_height + ky - s.pad_height,
                      at = ix * s.stride_width + kx - s.pad_width;
        if (y < 0 || y >= s.out_height || at < 0 || at >= s.out_width) continue;
        for (int64_t o = 0; o < n; ++o) {
          double& to =
              sum[static_cast<size_t>(((b * s.out_height + y) * s.out_width + at) * n + o)];
          for (int64_t c = 0; c < s.in_channels; ++c)
            to += static_cast<double>(x[static_cast<size_t>(p * s.in_channels + c)]) *
                  weight(c, o, ky, kx);
        }
      }
    }
    for (size_t i = 0; i < sum.size(); ++i) {
      const size_t channel = i % static_cast<size_t>(n);
      sum[i] = std::max(sum[i] * scale[channel] + bias[channel] + summand[i], 0.0);
    }
    return sum;
  }

  /// By all ways of sharing out; memory ends at unreadable pages.
  void expect_plain() {
    const std::vector<double> right = expected();
    torchweld::testing::Guarded image(x.size() * sizeof(float)), made(right.size() * sizeof(float)),
        scratch(static_cast<size_t>(image_conv_scratch_floats(s)) * sizeof(float));
    std::copy(x.begin(), x.end(), reinterpret_cast<float*>(image.data()));
    float* const out = reinterpret_cast<float*>(made.data());
    ImageConvCall call;
    call.shape = s;
    call.x = reinterpret_cast<float*>(image.data());
    call.w = packed.data.get();
    call.panel = packed.panel;
    call.scale = scale.data();
    call.bias = bias.data();
    call.summand = summand.data();
    call.clamps = true;
    call.clamp = Clamp::relu();
    call.out = out;
    call.scratch = reinterpret_cast<float*>(scratch.data());
    const SplitWork pieces = [](int64_t count, int64_t, const auto& work) {
      for (int64_t i = 0; i < count; i += 3) work(i, std::min(i + 3, count));
    };
    int64_t rows = 0;
    const AfterRows doubled = [&](int64_t begin, int64_t end) {
      for (int64_t i = begin * s.out_channels; i < end * s.out_channels; ++i) out[i] *= 2;
      rows += end - begin;
    };
    for (const bool with_tail : {false, true}) {
      for (const bool in_pieces : {false, true}) {
        std::fill_n(out, right.size(), std::nanf(""));
        rows = 0;
        image_conv(call, in_pieces ? pieces : SplitWork(), with_tail ? doubled : AfterRows());
        EXPECT_EQ(rows, with_tail ? s.positions() : 0);
        for (size_t i = 0; i < right.size(); ++i)
          ASSERT_NEAR(out[i], right[i] * (with_tail ? 2 : 1), 1e-5 * static_cast<double>(s.taps()))
              << i << " of " << right.size() << ", tail " << with_tail;
      }
    }
  }

  ConvShape s;
  std::vector<float> x, w, scale, bias, summand;
  PackedMatrix packed;
};

TEST(TransposedConv, MatchesPlainLoops) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  int64_t i = 0;
  for (const Window& window : kWindows) {
    for (const int64_t filters : {1, 2, 3, 4, 8, 16, 40, 100}) {
      for (const int64_t height : {1, 5}) {
        Case c(1 + i % 2, height, height == 1 ? 150 : 7, 1 + i * 5 % 34, filters, window);
        c.expect_plain();
        if (HasFatalFailure()) return;
        ++i;
      }
    }
  }
}

TEST(TransposedConv, NanStaysWhereItIsSeen) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  for (const int64_t taps : {3, 4}) {
    Case c(1, 1, 20, 8, 16, {taps, 2, 1, 0});
    c.x[7 * 8 + 3] = std::nanf("");  // pixel 7 reaches 13 and what follows
    std::vector<float> out(static_cast<size_t>(c.s.positions()) * 16),
        scratch(static_cast<size_t>(image_conv_scratch_floats(c.s)));
    ImageConvCall call;
    call.shape = c.s;
    call.x = c.x.data();
    call.w = c.packed.data.get();
    call.panel = c.packed.panel;
    call.out = out.data();
    call.scratch = scratch.data();
    image_conv(call, {});
    for (int64_t at = 0; at < std::ssize(out); ++at)
      EXPECT_EQ(std::isnan(out[static_cast<size_t>(at)]), at / 16 >= 13 && at / 16 < 13 + taps)
          << at / 16;
  }
}

}  // namespace
}  // namespace torchweld::x86
