// Small products against float64, on both instruction sets, packed and in place.
#include "kernels/x86/small_matmul.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
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

enum class Kernel { kAvx2, kAvx512, kInPlace };

struct Extras {
  bool bias, summand, relu;
};

void run(Kernel kernel, const MatmulCall& call) {
  if (kernel == Kernel::kInPlace) {
    dot_avx2(call);
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
        bias(1, s.n, s.n, 5),
        summand(s.m, s.n, s.n + 2, 3),
        out(s.m, s.n, s.n + 5, 0),
        packed(pack(w.data(), s.k, s.n, 1, s.k + 1)) {
    std::fill(out.data(), out.data() + out.floats(), kUntouched);
    if (kernel == Kernel::kInPlace) {
      call.w = w.data();
      call.w_row_stride = s.k + 1;
      call.k = s.k;
      call.n = call.end = s.n;
    } else {
      call.set(packed);
    }
    call.x = x.data();
    call.m = s.m;
    call.x_row_stride = s.k + 3;
    if (with.bias) call.bias = bias.data();
    if (with.summand) call.summand = summand.data();
    call.summand_row_stride = s.n + 2;
    call.relu = with.relu;
    call.out = out.data();
    call.out_row_stride = s.n + 5;
  }

  void expect_float64() const {
    for (int64_t i = 0; i < s.m; ++i) {
      for (int64_t j = 0; j < s.n; ++j) {
        double sum = with.bias ? bias.at(0, j) : 0;
        if (with.summand) sum += summand.at(i, j);
        double size = 2 + std::abs(sum);
        for (int64_t p = 0; p < s.k; ++p) {
          sum += double{x.at(i, p)} * w.at(j, p);
          size += std::abs(double{x.at(i, p)} * w.at(j, p));
        }
        if (with.relu) sum = sum > 0 ? sum : 0;
        ASSERT_NEAR(out.at(i, j), sum, 0x1p-23 * size * std::sqrt(static_cast<double>(s.k) + 1))
            << i << ", " << j << " of " << s.m << " x " << s.k << " x " << s.n;
      }
      for (int64_t j = s.n; j < s.n + 5 && i + 1 < s.m; ++j)
        ASSERT_EQ(out.at(i, j), kUntouched) << "written past column " << s.n;
    }
  }

  Sizes s;
  Extras with;
  Rows x, w, bias, summand, out;
  PackedMatrix packed;
  MatmulCall call;
};

std::vector<Kernel> kernels() {
  std::vector<Kernel> all;
  if (host_isa()) all = {Kernel::kAvx2, Kernel::kInPlace};
  if (host_isa() == Isa::kAvx512) all.push_back(Kernel::kAvx512);
  return all;
}

TEST(SmallMatmul, MatchesFloat64) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  for (const Kernel kernel : kernels()) {
    for (const int64_t m : {1, 2, 3, 4, 5, 6, 7, 8, 13, 16, 19, 25}) {
      for (const int64_t k : {0, 1, 2, 7, 8, 64, 101, 300}) {
        for (const int64_t n : {1, 2, 4, 7, 8, 9, 15, 16, 17, 32, 33, 64, 100}) {
          const Product product({m, k, n}, kernel, {n % 2 == 0, m % 3 == 0, k % 2 == 0});
          run(kernel, product.call);
          product.expect_float64();
        }
      }
    }
  }
}

TEST(SmallMatmul, AddsWhatTheResultReplaces) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  for (const Kernel kernel : kernels()) {
    Product product({5, 40, 21}, kernel, {true, false, false});
    for (int64_t i = 0; i < 5; ++i)
      for (int64_t j = 0; j < 21; ++j) product.out.at(i, j) = product.summand.at(i, j);
    product.call.summand = product.call.out;
    product.call.summand_row_stride = product.call.out_row_stride;
    product.with.summand = true;
    run(kernel, product.call);
    product.expect_float64();
  }
}

TEST(SmallMatmul, KeepsNansAndInfinities) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  constexpr float kInf = std::numeric_limits<float>::infinity();
  for (const Kernel kernel : kernels()) {
    for (const int64_t n : {1, 4, 5, 16, 40}) {
      Product product({4, 19, n}, kernel, {true, false, true});
      product.x.at(0, 18) = std::nanf("");
      product.x.at(1, 3) = kInf;
      product.x.at(2, 3) = kInf;
      product.x.at(2, 0) = -kInf;
      for (int64_t j = 0; j < n; ++j) {
        product.w.at(j, 3) = j % 2 == 0 ? 0.0f : 1.0f;
        product.w.at(j, 0) = 1;
      }
      product.packed = pack(product.w.data(), 19, n, 1, 20);
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

TEST(SmallMatmul, PiecesAreTheWhole) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  const SplitWork in_pieces = [](int64_t count, int64_t, const auto& work) {
    for (int64_t i = 0; i < count; i += 3) work(i, std::min(i + 3, count));
  };
  for (const Sizes& s : {Sizes{3, 2500, 700}, Sizes{1500, 300, 9}}) {
    for (const bool in_place : {false, true}) {
      const Kernel kernel = in_place ? Kernel::kInPlace : Kernel::kAvx2;
      const Product whole(s, kernel, {true, true, true}), parts(s, kernel, {true, true, true});
      small_matmul(whole.call);
      small_matmul(parts.call, in_pieces);
      whole.expect_float64();
      parts.expect_float64();
    }
  }
}

TEST(SmallMatmul, SmallOnesAreNotSplit) {
  if (!host_isa()) GTEST_SKIP() << "no AVX2";
  const Product product({1, 64, 256}, Kernel::kAvx2, {true, false, false});
  small_matmul(product.call, [](int64_t, int64_t, const auto&) { FAIL() << "split"; });
  product.expect_float64();
}

TEST(SmallMatmul, FewRowsOrFewColumnsAreDoneHere) {
  const auto way = [](int64_t m, int64_t k, int64_t n, bool contiguous = true) {
    return way_of_matmul(Isa::kAvx2, m, k, n, contiguous);
  };
  EXPECT_EQ(way(1, 64, 256), MatmulWay::kPacked);
  EXPECT_EQ(way(1, 1000, 1000), MatmulWay::kInPlace);
  EXPECT_EQ(way(1, 1000, 1000, false), MatmulWay::kPacked);
  EXPECT_EQ(way(128, 387, 4), MatmulWay::kInPlace);
  EXPECT_EQ(way(128, 387, 16), MatmulWay::kInPlace);
  EXPECT_EQ(way(128, 64, 8), MatmulWay::kPacked);
  EXPECT_EQ(way(128, 512, 512), MatmulWay::kLibrary);
}

}  // namespace
}  // namespace torchweld::x86
