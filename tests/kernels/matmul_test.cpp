// Products against float64, on both instruction sets, packed and in place.
#include "kernels/x86/matmul.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "kernels/x86/isa.h"
#include "kernels/x86/matmul_isa.h"
#include "tests/kernels/guarded.h"

namespace torchweld::x86 {
namespace {

constexpr float kUntouched = -77;

float element(int64_t i) { return static_cast<float>((i * 7919) % 1000) / 500.0f - 1.0f; }

/// rows x cols floats, `stride` apart, that end at an unreadable page.
class Rows {
 public:
  Rows(int64_t rows, int64_t cols, int64_t stride, int64_t seed)
      : floats_(rows == 0 ? 0 : (rows - 1) * stride + cols),
        stride_(stride),
        memory_(static_cast<size_t>(floats_) * sizeof(float)) {
    for (int64_t i = 0; i < floats_; ++i) data()[i] = element(i + seed);
  }
  float* data() const { return reinterpret_cast<float*>(memory_.data()); }
  float& at(int64_t row, int64_t column) const { return data()[row * stride_ + column]; }
  int64_t floats() const { return floats_; }

 private:
  int64_t floats_, stride_;
  torchweld::testing::Guarded memory_;
};

struct Sizes {
  int64_t m, k, n;
};

enum class Kernel { kAvx2, kAvx512, kInPlace, kFewAvx2, kFewAvx512 };

bool is_of_few_columns(Kernel kernel) {
  return kernel == Kernel::kFewAvx2 || kernel == Kernel::kFewAvx512;
}

struct Extras {
  bool bias, summand;
  Clamp clamp = {};
  bool scale = false;
};

void run(Kernel kernel, const MatmulCall& call) {
  if (kernel == Kernel::kInPlace) {
    dot_avx2(call);
  } else if (is_of_few_columns(kernel)) {
    (kernel == Kernel::kFewAvx512 ? few_columns_avx512 : few_columns_avx2)(call);
  } else {
    (kernel == Kernel::kAvx512 ? matmul_avx512 : matmul_avx2)(call);
  }
}

/// A product, its operands and the call that makes it.
struct Product {
  Product(const Sizes& sizes, Kernel kernel, const Extras& extras)
      : s(sizes),
        with(extras),
        x(s.m, s.k, s.k + 3, 0),
        w(s.n, s.k, s.k + 1, 17),
        scale(1, s.n, s.n, 11),
        bias(1, s.n, s.n, 5),
        summand(s.m, s.n, s.n + 2, 3),
        out(s.m, s.n, s.n + 5, 0),
        packed(pack(w.data(), {.k = s.k,
                               .n = s.n,
                               .stride_k = 1,
                               .stride_n = s.k + 1,
                               .panel = is_of_few_columns(kernel) ? 1 : 0})) {
    std::fill(out.data(), out.data() + out.floats(), kUntouched);
    if (kernel == Kernel::kInPlace) {
      call.w = w.data();
      call.w_row_stride = s.k + 1;
      call.k = s.k;
      call.n = call.end = s.n;
    } else {
      call.set(packed);
      call.w_row_stride = s.k;
    }
    call.x = x.data();
    call.m = s.m;
    call.x_row_stride = s.k + 3;
    if (with.scale) call.scale = scale.data();
    if (with.bias) call.bias = bias.data();
    if (with.summand) call.summand = summand.data();
    call.summand_row_stride = s.n + 2;
    call.clamps = with.clamp != Clamp{};
    call.clamp = with.clamp;
    call.out = out.data();
    call.out_row_stride = s.n + 5;
  }

  void expect_float64() const {
    for (int64_t i = 0; i < s.m; ++i) {
      for (int64_t j = 0; j < s.n; ++j) {
        double sum = 0, size = 2;
        for (int64_t p = 0; p < s.k; ++p) {
          sum += double{x.at(i, p)} * w.at(j, p);
          size += std::abs(double{x.at(i, p)} * w.at(j, p));
        }
        if (with.scale) sum *= scale.at(0, j);
        if (with.bias) sum += bias.at(0, j);
        if (with.summand) sum += summand.at(i, j);
        sum = std::clamp<double>(sum, with.clamp.low, with.clamp.high);
        ASSERT_NEAR(out.at(i, j), sum, 0x1p-23 * size * std::sqrt(static_cast<double>(s.k) + 1))
            << i << ", " << j << " of " << s.m << " x " << s.k << " x " << s.n;
      }
      for (int64_t j = s.n; j < s.n + 5 && i + 1 < s.m; ++j)
        ASSERT_EQ(out.at(i, j), kUntouched) << "written past column " << s.n;
    }
  }

  Sizes s;
  Extras with;
  Rows x, w, scale, bias, summand, out;
  PackedMatrix packed;
  MatmulCall call;
};

std::vector<Kernel> kernels() {
  std::vector<Kernel> all;
  if (host_isa()) all = {Kernel::kAvx2, Kernel::kInPlace};
  if (host_isa() == Isa::kAvx512) all.push_back(Kernel::kAvx512);
  return all;
}

TEST(Matmul, MatchesFloat64) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  const Clamp clamps[] = {{}, Clamp::relu(), {-0.5f, 0.75f}};
  for (const Kernel kernel : kernels()) {
    for (const int64_t m : {1, 2, 3, 4, 5, 6, 7, 8, 13, 16, 19, 25}) {
      for (const int64_t k : {0, 1, 2, 7, 8, 64, 101, 300}) {
        for (const int64_t n : {1, 2, 4, 7, 8, 9, 15, 16, 17, 32, 33, 64, 100}) {
          const bool scaled = kernel != Kernel::kInPlace && (m + k) % 4 < 2;
          const Product product({m, k, n}, kernel, {n % 2 == 0, m % 3 == 0, clamps[k % 3], scaled});
          run(kernel, product.call);
          product.expect_float64();
          if (kernel == Kernel::kInPlace) continue;
          (kernel == Kernel::kAvx512 ? rounded_avx512 : rounded_avx2)(product.call);
          product.expect_float64();
          if (m != 1) continue;
          (kernel == Kernel::kAvx512 ? row_avx512 : row_avx2)(product.call);
          product.expect_float64();
        }
      }
    }
  }
}

TEST(Matmul, FewColumnsMatchFloat64) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  const Clamp clamps[] = {{}, Clamp::relu(), {-0.5f, 0.75f}};
  for (const Kernel kernel : {Kernel::kFewAvx2, Kernel::kFewAvx512}) {
    if (kernel == Kernel::kFewAvx512 && host_isa() != Isa::kAvx512) continue;
    for (const int64_t m : {1, 2, 3, 4, 5, 7, 8, 13}) {
      for (const int64_t k : {0, 1, 7, 8, 15, 16, 33, 101, 300}) {
        for (const int64_t n : {1, 2, 3, 4, 5, 7, 9, 12}) {
          Product product({m, k, n}, kernel,
                          {n % 2 == 0, m % 3 == 0, clamps[k % 3], (m + k) % 4 < 2});
          run(kernel, product.call);
          product.expect_float64();
          if (k == 0 || k % 3 != 0) continue;
          // The same row as a grid of three stretches, the first and last of which are zeros there:
          // x begins before what may be read.
          for (int64_t i = 0; i < m; ++i) {
            for (int64_t p = 0; p < k; ++p) {
              if (p < k / 3 || p >= k / 3 * 2) product.x.at(i, p) = 0;
            }
          }
          MatmulCall grid = product.call;
          grid.inner = 3;
          grid.inner_stride = k / 3;
          grid.sees_all = false;
          grid.seen_outer = {0, 1};
          grid.seen_inner = {1, 2};
          run(kernel, grid);
          product.expect_float64();
        }
      }
    }
  }
}

/// Bit by bit: LibTorch's answer is the one that others are compared with.
TEST(Matmul, SumsAreSplitAsMklSplitsThem) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  const auto partial = [](const Product& p, int64_t i, int64_t j, int64_t begin, int64_t end) {
    float sum = 0;
    for (int64_t k = begin; k < end; ++k) sum = std::fma(p.x.at(i, k), p.w.at(j, k), sum);
    return sum;
  };
  const std::pair<int64_t, std::vector<int64_t>> splits[] = {
      {192, {192}},      {301, {150, 301}},      {384, {192, 384}},
      {386, {192, 386}}, {400, {192, 384, 400}}, {577, {192, 384, 577}}};
  for (const Kernel kernel : kernels()) {
    if (kernel == Kernel::kInPlace) continue;
    for (const auto& [k, ends] : splits) {
      for (const int64_t m : {4, 11, 24}) {
        const Product product({m, k, 72}, kernel, {true, false});
        run(kernel, product.call);
        for (int64_t i = 0; i < m; ++i) {
          for (int64_t j = 0; j < 72; ++j) {
            float expected = partial(product, i, j, 0, ends[0]) + product.bias.at(0, j);
            for (size_t e = 1; e < ends.size(); ++e)
              expected = partial(product, i, j, ends[e - 1], ends[e]) + expected;
            ASSERT_EQ(product.out.at(i, j), expected) << i << ", " << j << " of " << m << ", " << k;
          }
        }
      }
    }
  }
}

TEST(Matmul, OneRowIsSummedAsMklDoesOnAmd) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  for (const Kernel kernel : kernels()) {
    if (kernel == Kernel::kInPlace) continue;
    for (const int64_t k : {1, 4, 6, 64, 203}) {
      const Product product({1, k, 72}, kernel, {true, false});
      (kernel == Kernel::kAvx512 ? row_avx512 : row_avx2)(product.call);
      for (int64_t j = 0; j < 72; ++j) {
        float sums[4] = {};
        const int64_t first = (k - 1) % 4 + 1;
        for (int64_t i = 0; i < k; ++i) {
          const volatile float rounded = product.x.at(0, i) * product.w.at(j, i);
          sums[i < first ? 0 : (i - first) % 4] += rounded;
        }
        const float sum = (sums[0] + sums[2]) + (sums[1] + sums[3]);
        ASSERT_EQ(product.out.at(0, j), sum + product.bias.at(0, j)) << j << " of " << k;
      }
    }
  }
}

TEST(Matmul, FewPositionsAreSummedAsMklDoesOnAmd) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  for (const Kernel kernel : kernels()) {
    if (kernel == Kernel::kInPlace) continue;
    const Product product({7, 203, 72}, kernel, {true, false});
    (kernel == Kernel::kAvx512 ? rounded_avx512 : rounded_avx2)(product.call);
    for (int64_t i = 0; i < 7; ++i) {
      for (int64_t j = 0; j < 72; ++j) {
        float sum = product.bias.at(0, j);
        for (int64_t k = 0; k < 203; ++k) {
          const volatile float rounded = product.x.at(i, k) * product.w.at(j, k);
          sum += rounded;
        }
        ASSERT_EQ(product.out.at(i, j), sum) << i << ", " << j;
      }
    }
  }
}

TEST(Matmul, AddsWhatTheResultReplaces) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  for (const Kernel kernel : kernels()) {
    Product product({5, 40, 21}, kernel, {true, false});
    for (int64_t i = 0; i < 5; ++i)
      for (int64_t j = 0; j < 21; ++j) product.out.at(i, j) = product.summand.at(i, j);
    product.call.summand = product.call.out;
    product.call.summand_row_stride = product.call.out_row_stride;
    product.with.summand = true;
    run(kernel, product.call);
    product.expect_float64();
  }
}

TEST(Matmul, KeepsNansAndInfinities) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  constexpr float kInf = std::numeric_limits<float>::infinity();
  for (const Kernel kernel : kernels()) {
    for (const int64_t n : {1, 4, 5, 16, 40}) {
      Product product({4, 19, n}, kernel, {true, false, Clamp::relu()});
      product.x.at(0, 18) = std::nanf("");
      product.x.at(1, 3) = kInf;
      product.x.at(2, 3) = kInf;
      product.x.at(2, 0) = -kInf;
      for (int64_t j = 0; j < n; ++j) {
        product.w.at(j, 3) = j % 2 == 0 ? 0.0f : 1.0f;
        product.w.at(j, 0) = 1;
      }
      product.packed = pack(product.w.data(), {19, n, 1, 20});
      if (kernel != Kernel::kInPlace) product.call.set(product.packed);
      run(kernel, product.call);
      for (int64_t j = 0; j < n; ++j) {
        EXPECT_TRUE(std::isnan(product.out.at(0, j))) << j;
        if (j % 2 == 0) {
          EXPECT_TRUE(std::isnan(product.out.at(1, j))) << j;  // 0 * inf
        } else {
          EXPECT_EQ(product.out.at(1, j), kInf);
        }
        EXPECT_TRUE(std::isnan(product.out.at(2, j))) << j;  // inf - inf, 0 * inf
        EXPECT_TRUE(std::isfinite(product.out.at(3, j)));
      }
    }
  }
}

TEST(Matmul, RowsMayBeStretches) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  constexpr int64_t kOuter = 3, kInner = 2, kStretch = 59, kOuterStride = 1000, kInnerStride = 170;
  for (const Kernel kernel : kernels()) {
    if (kernel == Kernel::kInPlace) continue;
    for (const int64_t m : {1, 5, 300}) {
      Product product({m, kOuter * kInner * kStretch, 40}, kernel, {true, false});
      Rows x(1, (m - 1) * 7 + (kOuter - 1) * kOuterStride + kInnerStride + kStretch, 0, 4);
      for (int64_t row = 0; row < m; ++row)
        for (int64_t i = 0; i < product.s.k; ++i)
          product.x.at(row, i) = x.at(0, row * 7 + i / kStretch / kInner * kOuterStride +
                                             i / kStretch % kInner * kInnerStride + i % kStretch);
      MatmulCall& call = product.call;
      call.x = x.data();
      call.x_row_stride = 7;
      call.outer = kOuter;
      call.outer_stride = kOuterStride;
      call.inner = kInner;
      call.inner_stride = kInnerStride;
      run(kernel, call);
      product.expect_float64();
    }
  }
}

TEST(Matmul, PiecesAreTheWhole) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  const SplitWork in_pieces = [](int64_t count, int64_t, const auto& work) {
    for (int64_t i = 0; i < count; i += 3) work(i, std::min(i + 3, count));
  };
  for (const Sizes& s : {Sizes{3, 2500, 700}, Sizes{1500, 300, 9}}) {
    for (const bool in_place : {false, true}) {
      const Kernel kernel = in_place ? Kernel::kInPlace : Kernel::kAvx2;
      const Product whole(s, kernel, {true, true, Clamp::relu()}),
          parts(s, kernel, {true, true, Clamp::relu()});
      matmul(whole.call);
      matmul(parts.call, in_pieces);
      whole.expect_float64();
      parts.expect_float64();
    }
  }
}

TEST(Matmul, WhatComesAfterSeesEachRowOnce) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  for (const Sizes& s : {Sizes{3, 200, 700}, Sizes{150, 30, 9}, Sizes{100, 64, 3000}}) {
    const Product product(s, Kernel::kAvx2, {true, true, Clamp::relu()});
    int64_t rows = 0;
    matmul(product.call, {}, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        for (int64_t j = 0; j < s.n; ++j) product.out.at(i, j) = 2 * product.out.at(i, j);
      rows += end - begin;
    });
    EXPECT_EQ(rows, s.m);
    for (int64_t i = 0; i < s.m; ++i)
      for (int64_t j = 0; j < s.n; ++j) product.out.at(i, j) /= 2;
    product.expect_float64();
  }
}

TEST(Matmul, SmallOnesAreNotSplit) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  const Product product({1, 64, 256}, Kernel::kAvx2, {true, false});
  matmul(product.call, [](int64_t, int64_t, const auto&) { FAIL() << "split"; });
  product.expect_float64();
}

TEST(Matmul, FewRowsOrFewColumnsNeedNoPackedWeights) {
  EXPECT_FALSE(is_best_in_place(1, 64, 256, true));
  EXPECT_NE(is_best_in_place(1, 1000, 1000, true), is_amd());
  EXPECT_TRUE(is_best_in_place(1, 4096, 4096, true));
  EXPECT_FALSE(is_best_in_place(1, 1000, 1000, false));
  EXPECT_TRUE(is_best_in_place(128, 387, 4, true));
  EXPECT_FALSE(is_best_in_place(128, 512, 512, true));
}

}  // namespace
}  // namespace torchweld::x86
