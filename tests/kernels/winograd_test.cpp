// Convolutions by tiles against float64 and against image_conv, on both instruction sets.
#include "kernels/x86/winograd.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <thread>
#include <vector>

#include "kernels/x86/isa.h"
#include "kernels/x86/winograd_isa.h"
#include "tests/kernels/conv_operands.h"

namespace torchweld::x86 {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

ConvShape shape_of(int64_t batch, int64_t height, int64_t width, int64_t in, int64_t out,
                   int64_t pad = 1) {
  ConvShape s;
  s.batch = batch;
  s.in_height = height;
  s.in_width = width;
  s.in_channels = in;
  s.out_channels = out;
  s.kernel_height = s.kernel_width = 3;
  s.pad_height = s.pad_width = pad;
  s.out_height = height + 2 * pad - 2;
  s.out_width = width + 2 * pad - 2;
  s.x_channel_stride = 1;
  s.x_width_stride = in;
  s.x_height_stride = width * in;
  s.x_batch_stride = height * width * in;
  s.order = {.piece = 16, .split = SummationOrder::Split::kPieces};
  return s;
}

constexpr int64_t kPieces = 3;

struct Case {
  Case(const ConvShape& shape, Extras with)
      : s(shape),
        extras(with),
        x(s.batch * s.x_batch_stride, 1),
        w(s.taps() * s.out_channels, 2),
        scale(s.out_channels, 5),
        bias(s.out_channels, 3),
        summand(s.positions() * s.out_channels, 4),
        out(s.positions() * s.out_channels),
        scratch(winograd_scratch_floats(s, kPieces)),
        plain_scratch(image_conv_scratch_floats(s)) {
    // The weight is [out_channels, in_channels, 3, 3], as archives have it.
    weights.layout = {s.taps(), s.out_channels, 1, s.taps(), s.in_channels, 9, s.order.piece};
    weights.plain = w.data();
    weights.transformed = transform_weights(w.data(), weights.layout);
  }

  ImageConvCall call() const {
    std::fill_n(out.data(), out.size(), std::nanf(""));
    ImageConvCall c;
    c.shape = s;
    c.x = x.data();
    if (extras.scale) c.scale = scale.data();
    if (extras.bias) c.bias = bias.data();
    if (extras.summand) c.summand = summand.data();
    c.clamps = extras.clamp != Clamp{};
    c.clamp = extras.clamp;
    c.out = out.data();
    c.scratch = scratch.data();
    return c;
  }

  void run(const SplitWork& parallel = {}, const AfterRows& after = {}) const {
    winograd(call(), weights, kPieces, parallel, after);
  }

  /// What image_conv makes of it.
  std::vector<float> plain() const {
    const PackedMatrix packed = pack(w.data(), weights.layout);
    ImageConvCall c = call();
    c.w = packed.data.get();
    c.panel = packed.panel;
    c.scratch = plain_scratch.data();
    image_conv(c, {});
    return {out.data(), out.data() + out.size()};
  }

  /// Of one element, in float64, and the absolute values that its tile sees.
  std::pair<double, double> expected(int64_t b, int64_t y, int64_t i, int64_t channel) const {
    double sum = 0, size = 2;
    for (int64_t row = y / 2 * 2 - s.pad_height; row < y / 2 * 2 - s.pad_height + 4; ++row) {
      for (int64_t at = i / 2 * 2 - s.pad_width; at < i / 2 * 2 - s.pad_width + 4; ++at) {
        if (row < 0 || row >= s.in_height || at < 0 || at >= s.in_width) continue;
        const int64_t ky = row - y + s.pad_height, kx = at - i + s.pad_width;
        const bool sees = ky >= 0 && ky < 3 && kx >= 0 && kx < 3;
        for (int64_t c = 0; c < s.in_channels; ++c) {
          const double value =
              x[b * s.x_batch_stride + row * s.x_height_stride + at * s.x_width_stride + c];
          if (sees) sum += value * w[channel * s.taps() + c * 9 + ky * 3 + kx];
          size += std::abs(value);
        }
      }
    }
    if (extras.scale) sum *= scale[channel];
    if (extras.bias) sum += bias[channel];
    const int64_t at = ((b * s.out_height + y) * s.out_width + i) * s.out_channels + channel;
    if (extras.summand) sum += summand[at];
    return {std::clamp<double>(sum, extras.clamp.low, extras.clamp.high), size};
  }

  void expect_plain(const char* what) const {
    expect_sums(s, out, what, [this](auto... place) { return expected(place...); });
  }

  ConvShape s;
  Extras extras;
  Floats x, w, scale, bias, summand, out, scratch, plain_scratch;
  WinogradWeights weights;
};

const Clamp kClamps[] = {{}, Clamp::relu(), {0, 6}};

TEST(Winograd, MatchesFloat64) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  struct Image {
    int64_t height, width;
  };
  int i = 0;
  for (const auto [height, width] : {Image{1, 1}, {2, 2}, {3, 5}, {7, 7}, {13, 17}, {4, 300}}) {
    for (const int64_t channels : {1, 16, 37}) {
      for (const int64_t filters : {5, 16, 40, 96}) {
        const int64_t pad = std::min(height, width) < 3 ? 1 : i % 3;
        const Case c(shape_of(1 + i % 2, height, width, channels, filters, pad),
                     {.bias = i % 2 == 0,
                      .summand = i % 3 == 0,
                      .clamp = kClamps[i % 3],
                      .scale = i % 4 < 2});
        c.run();
        c.expect_plain("whole");
        if (HasFatalFailure()) return;
        ++i;
      }
    }
  }
}

TEST(Winograd, PiecesAndWhatComesAfter) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  for (const auto& s : {shape_of(2, 13, 17, 20, 40), shape_of(1, 3, 301, 500, 33),
                        shape_of(3, 1, 1, 16, 16), shape_of(1, 28, 28, 64, 64)}) {
    const Case c(s, {.bias = true, .summand = true, .clamp = Clamp::relu(), .scale = true});
    c.run([](int64_t count, int64_t, const auto& work) {
      std::vector<std::thread> threads;
      for (int64_t i = 0; i < count; ++i) threads.emplace_back([&work, i] { work(i, i + 1); });
      for (std::thread& thread : threads) thread.join();
    });
    c.expect_plain("by threads");
    if (HasFatalFailure()) return;
    int64_t rows = 0;
    const int64_t n = s.out_channels;
    c.run({}, [&](int64_t begin, int64_t end) {  // each row is there, and comes once
      for (int64_t i = begin * n; i < end * n; ++i) c.out[i] = 2 * c.out[i];
      rows += end - begin;
    });
    EXPECT_EQ(rows, s.positions());
    for (int64_t i = 0; i < c.out.size(); ++i) c.out[i] /= 2;
    c.expect_plain("with what comes after");
    if (HasFatalFailure()) return;
  }
}

TEST(Winograd, ASummandMayBeTheResult) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  const Case c(shape_of(1, 9, 9, 24, 40), {.bias = true, .summand = true});
  c.x[100] = kInf;
  c.run();
  const std::vector<float> expected(c.out.data(), c.out.data() + c.out.size());
  ImageConvCall call = c.call();
  std::copy_n(c.summand.data(), c.out.size(), c.out.data());
  call.summand = call.out;
  winograd(call, c.weights, 1, {});
  for (int64_t i = 0; i < c.out.size(); ++i) {
    const bool both = std::isnan(c.out[i]) && std::isnan(expected[static_cast<size_t>(i)]);
    ASSERT_TRUE(both || c.out[i] == expected[static_cast<size_t>(i)]) << i;
  }
}

/// Both vector widths round alike.
TEST(Winograd, InstructionSetsAgree) {
  if (host_isa() != Isa::kAvx512) GTEST_SKIP() << "no AVX-512";
  for (const int64_t channels : {16, 24, 37}) {
    const Case c(shape_of(1, 7, 9, channels, 61),
                 {.bias = true, .summand = true, .clamp = Clamp::relu(), .scale = true});
    const ImageConvCall call = c.call();
    WinogradTiles t;
    t.call = &call;
    t.weights = &c.weights;
    t.end = 20;
    t.of_row = 5;
    t.of_column = 4;
    t.pixels_stride = t.end * channels;
    t.products_stride = t.end * kWinogradPanel;
    const Floats narrow(16 * t.pixels_stride), wide(16 * t.pixels_stride),
        products(16 * t.products_stride, 7);
    t.pixels = narrow.data();
    transform_tiles_avx2(t);
    t.pixels = wide.data();
    transform_tiles_avx512(t);
    for (int64_t i = 0; i < wide.size(); ++i) ASSERT_EQ(narrow[i], wide[i]) << i;
    t.products = products.data();
    finish_tiles_avx2(t, 0);
    finish_tiles_avx2(t, kWinogradPanel);
    const std::vector<float> of_narrow(c.out.data(), c.out.data() + c.out.size());
    c.call();
    finish_tiles_avx512(t, 0);
    finish_tiles_avx512(t, kWinogradPanel);
    for (int64_t i = 0; i < c.out.size(); ++i)
      ASSERT_EQ(c.out[i], of_narrow[static_cast<size_t>(i)]) << i;
  }
}

/// NaN, an infinity of either sign, or a number.
int kind_of(float x) { return std::isnan(x) ? 2 : std::isinf(x) ? (x > 0 ? 1 : -1) : 0; }

void expect_kinds(const Case& c, const char* what) {
  const std::vector<float> plain = c.plain();
  c.run();
  for (int64_t i = 0; i < c.out.size(); ++i) {
    ASSERT_EQ(kind_of(c.out[i]), kind_of(plain[static_cast<size_t>(i)]))
        << what << " at " << i << ": " << c.out[i] << ", " << plain[static_cast<size_t>(i)];
  }
}

TEST(Winograd, NanAndInfinityAreWhereTheSumsHaveThem) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  for (const float value : {std::nanf(""), kInf, -kInf, 3e38f, -3e38f}) {
    for (const int64_t filters : {16, 40}) {
      for (const bool scaled : {false, true}) {
        for (int64_t pixel = 0; pixel < 63; pixel += 4) {
          const Case c(shape_of(1, 7, 9, 20, filters),
                       {.bias = true, .summand = true, .clamp = Clamp::relu(), .scale = scaled});
          c.x[pixel * 20 + 7] = value;
          expect_kinds(c, "one pixel");
          if (::testing::Test::HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST(Winograd, LargeNumbersOverflowWhereTheSumsDo) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  using Split = SummationOrder::Split;
  for (const SummationOrder order :
       {SummationOrder{.piece = 16, .split = Split::kPieces}, {.piece = 1}, {}}) {
    for (const float size : {1e38f, 3e37f, 1e37f, 1e36f}) {
      ConvShape s = shape_of(2, 6, 5, 48, 40);
      s.order = order;
      const Case c(s, {});
      for (int64_t i = 0; i < c.x.size(); ++i) c.x[i] *= size;
      expect_kinds(c, "large");
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(Winograd, WeightsThatArentFiniteAreNotTransformed) {
  for (const float value : {std::nanf(""), kInf, -kInf}) {
    const Case c(shape_of(1, 4, 4, 8, 8), {});
    EXPECT_NE(c.weights.transformed, nullptr);
    c.w[33] = value;
    EXPECT_EQ(transform_weights(c.w.data(), c.weights.layout), nullptr);
  }
  const Case c(shape_of(1, 4, 4, 8, 8), {});
  std::fill_n(c.w.data(), c.w.size(), 3e38f);  // nine quarters of which is infinite
  EXPECT_EQ(transform_weights(c.w.data(), c.weights.layout), nullptr);
}

TEST(Winograd, IsChosenWhereItPays) {
  EXPECT_TRUE(is_winograd_faster(shape_of(1, 56, 56, 64, 64), 1));
  EXPECT_TRUE(is_winograd_faster(shape_of(8, 14, 14, 256, 256), 2));
  EXPECT_FALSE(is_winograd_faster(shape_of(1, 2, 2, 512, 512), 1));  // 16 MiB for one tile
  EXPECT_FALSE(is_winograd_faster(shape_of(1, 7, 7, 512, 512), 8));
  EXPECT_FALSE(is_winograd_faster(shape_of(1, 56, 56, 8, 64), 1));
  EXPECT_FALSE(is_winograd_faster(shape_of(1, 1, 1, 64, 64), 1));
  EXPECT_EQ(winograd_pieces(shape_of(1, 56, 56, 64, 64), 2), 2);
  EXPECT_EQ(winograd_pieces(shape_of(1, 7, 7, 256, 256), 64), 4);  // rows of tiles
  EXPECT_EQ(winograd_pieces(shape_of(1, 6, 6, 16, 16), 2), 1);     // too little for two
  const auto refused = [](auto change) {
    ConvShape s = shape_of(1, 56, 56, 64, 64);
    change(&s);
    return !takes_winograd(s) && !is_winograd_faster(s, 1);
  };
  EXPECT_TRUE(refused([](ConvShape* s) { s->stride_height = 2; }));
  EXPECT_TRUE(refused([](ConvShape* s) { s->dilation_width = 2; }));
  EXPECT_TRUE(refused([](ConvShape* s) { s->kernel_width = 5; }));
  EXPECT_TRUE(refused([](ConvShape* s) { s->groups = 2; }));
  EXPECT_TRUE(refused([](ConvShape* s) { s->op = ImageOp::kDepthwise; }));
  EXPECT_TRUE(refused([](ConvShape* s) { s->x_channel_stride = 56 * 56; }));
}

}  // namespace
}  // namespace torchweld::x86
